"""The proxy service as commands see it: start it, find it, tell it what changed, stop it.

Every `create` comes through here, so nothing slow is imported; the conversation itself is `control_client`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any

import clauderon
from clauderon import proc
from clauderon.config.schema import Config
from clauderon.errors import BackendError, ClauderonError
from clauderon.paths import Home
from clauderon.proxy.ca import authority
from clauderon.proxy.daemon import control_client, lockfile
from clauderon.proxy.daemon.control_client import NotListening
from clauderon.proxy.secrets import credentials
from clauderon.proxy.secrets import source as secret_source
from clauderon.proxy.secrets.credentials import Given
from clauderon.proxy.status import ServiceStatus

# The first start of a Python with cold caches on a loaded machine; usually it is half a second.
START_TIMEOUT_S = 30.0
# The supervisor gives requests in flight 5 s, and kills after 8.
STOP_TIMEOUT_S = 15.0
POLL_S = 0.01
LOG_TAIL_CHARS = 4000
# How the supervisor begins the line that says why it gave up.
FATAL = "fatal: "


def ensure(
    home: Home,
    config: Config,
    environ: Mapping[str, str],
    *,
    again: bool = False,
    fetch: bool | None = None,
) -> ServiceStatus:
    """The CA made, and the service running: this version, this configuration, holding what `environ` has.

    Starts or restarts it if need be and waits until it answers. again: have it read everything again in any case, and
    restart it if it has another port than `environ` asks for.
    fetch: run the commands that print a secret it lacks; None: if this call started it. Raises BackendError with the
    log's last lines.
    """
    authority.ensure(home)
    started = False
    for _ in range(3):
        if lockfile.holder(home) is None:
            _start(home, environ)
            started = True
        try:
            current = _status(home)
            if current is not None and current.port != config.proxy.port:
                current = ServiceStatus.from_json(_ask(home, "POST", "/reload", {}))
        except NotListening:
            continue  # it ended between two looks
        except ValueError:
            current = None
        # Another port is in our environment alone: nothing to cut everybody's connections for, unless it is asked for.
        elsewhere = current is not None and current.port != config.proxy.port
        if current is None or current.version != clauderon.__version__ or (again and elsewhere):
            stop(home)
            continue
        offered = credentials.from_environ(config, home, environ)
        known = all(current.held.get(name) == given.origin for name, given in offered.items())
        fetching = (started or again) if fetch is None else fetch
        if again or not known or (fetching and current.lacking):
            return reload(home, config, environ, fetch=fetching) or current
        if offered:
            return _offer(home, offered) or current
        return current
    raise BackendError(
        "proxy", "it ends again and again while it is being started", hint="clauderon proxy run"
    )


def reload(
    home: Home,
    config: Config,
    environ: Mapping[str, str],
    session: str | None = None,
    *,
    fetch: bool = False,
) -> ServiceStatus | None:
    """Tell the running service to read configuration and rows again, and hand over what `environ` supplies.

    session: an id; BackendError is raised if its port does not listen. fetch: run the commands that print a secret it
    lacks. Returns None if no service runs: it reads everything when it starts. `problems` begins with the secrets that
    could not be had (`credential NAME: ...`).
    Raises what the service answers: UsageError if the configuration is bad.
    """
    running = lockfile.holder(home)
    if running is None:
        return None
    given, problems = secret_source.collect(config, home, environ, held=running.get("held"), fetch=fetch)
    try:
        body = {"secrets": secret_source.plain(given)}
        current = ServiceStatus.from_json(_ask(home, "POST", "/reload", body))
    except NotListening:
        return None
    except ValueError:
        return None  # another version's: `ensure` replaces it
    for served in current.sessions:
        if served.id == session and served.problem:
            raise BackendError(f"session {served.name}", served.problem, hint="clauderon proxy status")
    return current._replace(problems=(*problems, *current.problems))


def exchange(home: Home, changed: Mapping[str, Given | None]) -> ServiceStatus | None:
    """Give a running service these secrets at once, and have it forget those of None. Returns None if none runs.

    Raises BackendError if it does not answer, and what it answers: UsageError if the configuration is bad.
    """
    if lockfile.holder(home) is None:
        return None
    kept = secret_source.plain({name: given for name, given in changed.items() if given is not None})
    try:
        body = {"secrets": {**dict.fromkeys(changed), **kept}}
        return ServiceStatus.from_json(_ask(home, "POST", "/reload", body))
    except NotListening:
        return None
    except ValueError:
        why = "it runs in another version"
        raise BackendError("proxy", why, hint="clauderon proxy stop && clauderon proxy start") from None


def status(home: Home) -> ServiceStatus | None:
    """What the running service says of itself, or None if none runs. Raises BackendError if it does not answer."""
    try:
        return None if lockfile.holder(home) is None else _status(home)
    except NotListening:
        return None
    except ValueError:
        raise BackendError(
            "proxy", "it runs in another version", hint="clauderon proxy stop && clauderon proxy start"
        ) from None


def is_running(home: Home) -> bool:
    """Whether a service runs, or is being started. Asks nobody."""
    return lockfile.holder(home) is not None


def held(home: Home) -> Mapping[str, str]:
    """Name to origin of the credentials a running service holds; empty if none runs. Asks nobody."""
    found = (lockfile.holder(home) or {}).get("held")
    return found if isinstance(found, dict) else {}


def stop(home: Home) -> bool:
    """Stop the service and wait until its ports are free; whether one was running."""
    running = lockfile.holder(home)
    if running is None:
        return False
    pid = running.get("pid")
    try:
        _ask(home, "POST", "/stop")
    except NotListening:
        return True
    except ClauderonError:
        # The worker hangs; the supervisor does not. The lock is held, so the pid is still its own.
        if pid is None:
            raise
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while lockfile.holder(home) is not None:
        if time.monotonic() > deadline:
            why = f"it did not end within {STOP_TIMEOUT_S:g} s"
            raise BackendError("proxy stop", why, hint=f"kill -9 {pid}")
        time.sleep(POLL_S)
    return True


def _status(home: Home) -> ServiceStatus:
    return ServiceStatus.from_json(_ask(home, "GET", "/status"))


def _offer(home: Home, offered: Mapping[str, Given]) -> ServiceStatus | None:
    """Hand over what may have another value than the service has from the same variable."""
    try:
        body = {"secrets": secret_source.plain(offered)}
        return ServiceStatus.from_json(_ask(home, "POST", "/offer", body))
    except (NotListening, ValueError):
        return None


def _ask(home: Home, method: str, path: str, body: Any = None) -> Any:
    """Ask, waiting for a service that is still starting. Raises NotListening once none runs any more."""
    running = lockfile.holder(home) or {}
    if running.get("problem"):
        _try_again(home, running)
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            return control_client.ask(home.control_socket, method, path, body)
        except NotListening:
            if lockfile.holder(home) is None:
                raise
            if time.monotonic() > deadline:
                raise BackendError(
                    "proxy", "it runs but does not listen on its control socket", hint="clauderon proxy stop"
                ) from None
            time.sleep(POLL_S)


def _try_again(home: Home, running: Mapping[str, Any]) -> None:
    """Have a service whose worker could not start try once more: the cause may be fixed.

    Raises BackendError with the reason if it was in vain.
    """
    with contextlib.suppress(ProcessLookupError):
        os.kill(running["pid"], signal.SIGHUP)  # it held the lock an instant ago, so the pid was its own
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        now = lockfile.holder(home)
        if now is None or not now.get("problem"):
            return
        if now.get("failures") != running.get("failures") or time.monotonic() > deadline:
            why, _, hint = str(now["problem"]).partition("\t")
            hint = hint or f"tail {home.logs / 'proxy.log'}"
            raise BackendError("proxy", f"its worker does not start: {why}", hint=hint)
        time.sleep(POLL_S)


def _start(home: Home, environ: Mapping[str, str]) -> None:
    """Start the supervisor and wait until somebody's service answers: another command may have been faster."""
    home.create()
    log = home.logs / "proxy.log"
    begin = log.stat().st_size if log.exists() else 0
    argv = [sys.executable, "-P", "-m", "clauderon.proxy.daemon.supervisor", str(home.root)]
    pid = proc.daemon(argv, env=secret_source.service_environ(environ), log=log)
    deadline = time.monotonic() + START_TIMEOUT_S
    ended = False
    while True:
        try:
            control_client.ask(home.control_socket, "GET", "/status")
            return
        except NotListening:
            pass
        if not ended:
            ended = os.waitpid(pid, os.WNOHANG)[0] == pid
        elif lockfile.holder(home) is None:
            with log.open("rb") as file:
                file.seek(begin)
                said = file.read().decode("utf-8", "replace")
            raise _failed(said[-LOG_TAIL_CHARS:])
        if time.monotonic() > deadline:
            raise BackendError("proxy", f"no answer {START_TIMEOUT_S:g} s after its start", hint=f"cat {log}")
        time.sleep(POLL_S)


def _failed(said: str) -> BackendError:
    """The supervisor's reason, with what else the log has: the traceback of a worker that could not start."""
    lines = said.splitlines(keepends=True)
    reasons = [line.partition(FATAL)[2].rstrip("\n") for line in lines if FATAL in line]
    detail = "".join(line for line in lines if FATAL not in line)
    if not reasons:
        reasons = ["it ended while it was being started"]
    # It is an error's `what: why` from the worker; its hint comes after a tab.
    text, _, hint = reasons[-1].partition("\t")
    return BackendError(
        "proxy", text.removeprefix("proxy: "), hint=hint or "clauderon proxy run", detail=detail
    )
