"""Asks the system's keyring, in a process of its own, so that one that is locked or hangs holds up nobody else.

`python -m clauderon.proxy.secrets.keyring_child get|set|delete SERVICE NAME SECONDS`: the secret comes on stdin and
goes to stdout, never in argv or the environment. `set` prints the keyring's name. What went wrong is one line on
stderr, and the exit status says of what kind it is. The only module that imports `keyring`.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
from typing import Any, NoReturn

from clauderon.proxy.secrets.ring import CLOSED, NONE, NOT_FOUND

# To find out whether a keyring is there: nobody is asked anything for that.
FIND_S = 3
_BACKENDS = {
    "keyring.backends.macOS.Keyring": "the macOS keychain",
    "keyring.backends.SecretService.Keyring": "the Secret Service",
    "keyring.backends.kwallet.DBusKeyring": "KWallet",
}
# They keep nothing, or keep it in a file that says what it holds.
_NO_KEYRING = (
    "keyring.backends.null.",
    "keyring.backends.fail.",
    "keyring.backends.chainer.",
    "keyrings.alt.",
)


class NoKeyring(Exception):
    """None answers; the text says why."""


def _find() -> tuple[Any, str]:
    """The keyring to use and its name: the one that was chosen by its own means, else the best that answers."""
    chosen = _chosen()
    if chosen is not None:
        return chosen, _title(chosen)
    found, why = [], ""
    for name in _BACKENDS:
        module, _, kind = name.rpartition(".")
        try:
            backend = getattr(importlib.import_module(module), kind)
            found.append((float(backend.priority), name, backend))
        except Exception as error:  # noqa: BLE001 - of another system, or not running: whatever it says
            why = _line(error) if "SecretService" in name else why
    if not found:
        raise NoKeyring(why or "no keyring answers")
    backend = max(found)[2]()
    return backend, _title(backend)


def _import() -> None:
    importlib.import_module("keyring.core")
    for name in _BACKENDS:
        with contextlib.suppress(Exception):  # `_find` says why
            importlib.import_module(name.rpartition(".")[0])


def _chosen() -> Any:
    """What PYTHON_KEYRING_BACKEND or keyring's own configuration names; None if that is nothing, or no keyring."""
    from keyring import core

    try:
        backend = core.load_env() or core.load_config()
    except Exception as error:  # noqa: BLE001 - what a person wrote there may be anything
        raise NoKeyring(f"the one that keyring is told to use cannot be used: {_line(error)}") from None
    if backend is not None and _name(backend).startswith(_NO_KEYRING):
        raise NoKeyring(f"keyring is told to use {_name(backend)}, which keeps no secret safe")
    return backend


def _name(backend: Any) -> str:
    return f"{type(backend).__module__}.{type(backend).__qualname__}"


def _title(backend: Any) -> str:
    return _BACKENDS.get(_name(backend), _name(backend))


def _line(error: BaseException) -> str:
    first = (str(error).splitlines() or [""])[0].removeprefix("Unable to initialize SecretService: ")
    return first[:200] or type(error).__name__


def _act(operation: str, backend: Any, service: str, name: str) -> int:
    if operation == "get":
        secret = backend.get_password(service, name)
        if secret is None:
            return _say(NOT_FOUND, "it has no such secret any more")
        sys.stdout.write(secret)
    elif operation == "set":
        secret = sys.stdin.read()
        backend.set_password(service, name, secret)
        if backend.get_password(service, name) != secret:
            return _say(CLOSED, "it does not give back what it was given")
    elif backend.get_password(service, name) is None:
        return NOT_FOUND
    else:
        backend.delete_password(service, name)
    return 0


def _say(status: int, text: str) -> int:
    sys.stderr.write(f"{text}\n")
    return status


def _within(seconds: int, status: int, text: str) -> None:
    """End with `status` after so many seconds. Not by an exception, which a library may swallow."""

    def end(*_: object) -> NoReturn:
        os.write(2, f"{text}\n".encode())
        os._exit(status)

    signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)


def main(operation: str, service: str, name: str, seconds: str) -> int:
    """One question to the keyring; the exit status."""
    bus = f"{os.environ.get('XDG_RUNTIME_DIR', '')}/bus"
    if not os.environ.get("DBUS_SESSION_BUS_ADDRESS") and os.path.exists(bus):  # noqa: PTH110
        os.environ["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={bus}"
    _import()  # which takes its time on a busy machine, and asks nobody
    _within(FIND_S, NONE, f"no answer within {FIND_S} s")
    try:
        backend, title = _find()
    except NoKeyring as error:
        return _say(NONE, str(error))
    if operation == "set":
        sys.stdout.write(f"{title}\n")
        sys.stdout.flush()
    _within(int(seconds), CLOSED, f"{title} is locked, or does not answer within {seconds} s")
    try:
        return _act(operation, backend, service, name)
    except Exception as error:  # noqa: BLE001 - every keyring has its own errors
        why = " is locked" if type(error).__name__ == "KeyringLocked" else f": {_line(error)}"
        return _say(CLOSED, title + why)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
