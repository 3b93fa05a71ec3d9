"""Commands in a session's container that end when whoever asked for them is ended.

docker lets go of a command whose near end is interrupted or whose reader leaves, and the command goes on inside: a test
run that was stopped with Ctrl-C beside the one that is started next, `yes` for ever. So the command leaves its number
where it can be ended by.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Sequence

from clauderon import names, paths
from clauderon.errors import ClauderonError, CommandFailed
from clauderon.session.context import Context
from clauderon.store import Session

SHELL = ("sh", "-c", "if command -v bash >/dev/null 2>&1; then exec bash; else exec sh; fi")

# By way of the image's `sh`, whose builtins are all that is needed: engines before 23 say 126 for a command that is not
# there, and say so on stdout. The command is the first of its process group: runc makes each exec a session of its own.
_BEGIN = '{ echo "$$" >"$1"; } 2>/dev/null; shift; exec "$@"'
_SIGNAL = 'read -r pid <"$1" && kill "-$2" "-$pid"'
# Between the signal that came and the last one.
GRACE_S = 3.0
_LOOK_S = 0.2


def run(context: Context, session: Session, command: Sequence[str], *, tty: bool, stdin: bool) -> int:
    """Run `command` on our own streams, with the directory and the user of the session; returns its status.

    Raises what interrupts us, once the command has ended.
    """
    container = names.container(session.name)
    mark = f".clauderon-exec-{names.new_id()}"
    inside = f"{paths.CONTAINER_HOME}/{mark}"
    words = ["exec", *(["-i"] if stdin else []), *(["-t"] if tty else []), container]
    words += ["sh", "-c", _BEGIN, "clauderon", inside, *command]
    try:
        return context.docker.pass_through(
            *words, cut_off=lambda signum: _end(context, container, inside, signum)
        )
    finally:
        with contextlib.suppress(OSError):
            (context.home.session_home(session.id) / mark).unlink()


def _end(context: Context, container: str, mark: str, signum: int) -> None:
    """Have the command and its children end as it would have had it been here, and in the end for certain."""
    with contextlib.suppress(ClauderonError):
        if not _send(context, container, mark, _name(signum)):
            return
        deadline = time.monotonic() + GRACE_S
        while time.monotonic() < deadline:
            if not _send(context, container, mark, "0"):
                return
            time.sleep(_LOOK_S)
        _send(context, container, mark, "KILL")


def _name(signum: int) -> str:
    # A lost reader is nothing a command inside has heard of, unless it writes once more.
    return {signal.SIGINT: "INT", signal.SIGHUP: "HUP"}.get(signal.Signals(signum), "TERM")


def _send(context: Context, container: str, mark: str, name: str) -> bool:
    """Whether there was anybody to send it to."""
    try:
        context.docker.attempt("exec", container, "sh", "-c", _SIGNAL, "clauderon", mark, name)
    except CommandFailed:
        return False
    return True
