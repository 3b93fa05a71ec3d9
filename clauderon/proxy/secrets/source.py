"""Gathers the secrets a command line can supply to the service, running what prints them, and hands them over.

Only the command line and the supervisor's foreground form call this: the proxy's event loop never waits for a
password manager. A secret travels by the control socket or an unnamed descriptor, never by argv or environment.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from clauderon import proc
from clauderon.config.schema import Config
from clauderon.errors import ClauderonError
from clauderon.paths import Home
from clauderon.proxy.logins import finding
from clauderon.proxy.secrets import credentials
from clauderon.proxy.secrets.credentials import Given, Located, Secret
from clauderon.proxy.secrets.in_file import BadSecret

# Long enough for a person to touch a key or type a password.
COMMAND_TIMEOUT_S = 60.0
# What the service needs of the environment that starts it. A list of what may pass: the service lives for weeks,
# and whatever else is in a shell's environment is none of its business.
_PASSED = frozenset(
    (
        *("PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        *("PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
        *finding.VARIABLES,
        *("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "NOTIFY_SOCKET"),
        # For hooks and notifications.
        *("DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS"),
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
        *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    )
)
_PASSED_PREFIXES = ("LC_", "XDG_", "CLAUDERON_")


def service_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of `environ` the service is started with; no credential is in it."""
    return {
        name: value for name, value in environ.items() if name in _PASSED or name.startswith(_PASSED_PREFIXES)
    }


def collect(
    config: Config,
    home: Home,
    environ: Mapping[str, str],
    *,
    held: Mapping[str, str] | None = None,
    fetch: bool = True,
) -> tuple[dict[str, Given], list[str]]:
    """What the environment supplies, and what commands print for credentials the service lacks.

    held: name to origin of what the service has. fetch: whether to run commands at all. They run side by side, with
    `environ` and no input. Returns the secrets by name, and a sentence for each that could not be had.
    """
    given = credentials.from_environ(config, home, environ)
    running: list[tuple[list[str], Located, proc.Running]] = []
    problems: list[str] = []
    wanted = to_fetch(config, home, environ, held or {}) if fetch else {}
    try:
        _run(wanted, environ, home, running, problems)
        _take(running, given, problems)
    finally:
        for _, _, child in running:
            if not child.ended():
                child.stop()
    return given, problems


def to_fetch(
    config: Config, home: Home, environ: Mapping[str, str], held: Mapping[str, str]
) -> dict[str, Located]:
    """What prints a secret the service lacks, by credential. Asking a password manager again would bother its owner."""
    wanted = {}
    for name, located in credentials.to_run(config, home, environ).items():
        from_environ = located.origin.startswith("op:// in env ")
        if name not in held or (from_environ and held[name] != located.origin):
            wanted[name] = located
    return wanted


def _run(
    wanted: Mapping[str, Located],
    environ: Mapping[str, str],
    home: Home,
    running: list[tuple[list[str], Located, proc.Running]],
    problems: list[str],
) -> None:
    """Start what prints them; once for those credentials that have one secret."""
    together: dict[tuple[str, ...], list[str]] = {}
    for name, located in wanted.items():
        together.setdefault(located.argv, []).append(name)
    for argv, names in together.items():
        try:
            running.append((names, wanted[names[0]], proc.start(argv, env=environ, cwd=home.root)))
        except ClauderonError as error:
            problems += [f"credential {name}: {error}" for name in names]


def _take(
    running: list[tuple[list[str], Located, proc.Running]], given: dict[str, Given], problems: list[str]
) -> None:
    for names, located, child in running:
        why = ""
        try:
            answer = child.result(timeout_s=COMMAND_TIMEOUT_S, ok=None)
            if answer.status == 0:
                secret = credentials.parse_secret(answer.text)
                given |= {name: Given(secret, located.origin) for name in names}
            else:
                # stderr is the command's to say; a careless one prints the secret there, so only its first line.
                said = answer.error_text.split("\n")[0][:200]
                why = f"{located.teller} ended with {answer.status}: {said}"
                if located.teller == credentials.KEYRING:
                    from clauderon.proxy.secrets import ring

                    why = f"{said}; unlock it, then: clauderon proxy start"
                    if answer.status == ring.NOT_FOUND:
                        why = f"the keyring has it no more; to give it again: clauderon secret set {names[0]}"
        except (ClauderonError, BadSecret) as error:
            why = f"{located.origin}: {error}"
        if why:
            problems += [f"credential {name}: {why}" for name in names]


def plain(given: Mapping[str, Given]) -> dict[str, Any]:
    """As it travels: name to [secret, origin]."""
    return {name: [item.secret.reveal(), item.origin] for name, item in given.items()}


def parse_plain(data: Mapping[str, Any]) -> dict[str, Given]:
    """The reverse of `plain`. Raises ValueError for anything else; the text never holds a value."""
    given = {}
    for name, item in data.items():
        if not (isinstance(item, list) and len(item) == 2 and all(isinstance(part, str) for part in item)):
            raise ValueError(f"credential {name!r}: expected [secret, origin]")
        given[str(name)] = Given(Secret(credentials.parse_secret(item[0]).reveal()), item[1])
    return given


def taken_over(held: Mapping[str, Given], data: Mapping[str, Any]) -> dict[str, Given]:
    """What is held once `data` was handed over: as `plain` has it, with None for what is to be forgotten."""
    given = parse_plain({name: item for name, item in data.items() if item is not None})
    return {name: item for name, item in {**held, **given}.items() if data.get(name, ()) is not None}


def to_descriptor(given: Mapping[str, Given]) -> int:
    """An inheritable descriptor of a file without a name that holds the secrets, for a process we become."""
    data = json.dumps(plain(given)).encode()
    read_end, write_end = os.pipe()
    if len(data) > 60_000:  # what a pipe surely holds with nobody reading
        raise ValueError("too many secrets")
    os.write(write_end, data)
    os.close(write_end)
    os.set_inheritable(read_end, True)
    return read_end


def from_descriptor(descriptor: int) -> dict[str, Any]:
    """Reads `to_descriptor` to its end and closes it."""
    with os.fdopen(descriptor, "rb") as file:
        content = json.loads(file.read())
    return content if isinstance(content, dict) else {}
