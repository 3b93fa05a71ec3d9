"""Commands in a session's container that end when whoever asked for them is ended.

docker lets go of a command whose near end is interrupted or whose reader leaves, and the command goes on inside: a test
run that was stopped with Ctrl-C beside the one that is started next, `yes` for ever. So the command leaves its number
where it can be ended by.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from clauderon import names, paths, proc
from clauderon.docker import keys
from clauderon.errors import ClauderonError, CommandFailed
from clauderon.record import Session
from clauderon.session.context import Context

SHELL = ("sh", "-c", "if command -v bash >/dev/null 2>&1; then exec bash; else exec sh; fi")

# What docker says, with the status 1, to a person who pressed the detach keys.
LEFT = b"read escape sequence"
_MARK = ".clauderon-exec-"

# Run by the image's `sh`, of which only builtins are needed. Engines before 23 say 126 for a command that is not
# there, and say so on stdout. The command is the first of its process group: runc makes each exec a session of its own.
_BEGIN = '{ echo "$$" >"$1"; } 2>/dev/null; shift; exec "$@"'
# On a terminal: docker tells it the person's size a moment after the command began.
_BEGIN_AT = '{ echo "$$" >"$1"; stty rows "$2" cols "$3"; } 2>/dev/null; shift 3; exec "$@"'
_SIGNAL = '{ read -r pid <"$1" || exit 3; kill "-$2" "-$pid" || exit 4; } 2>/dev/null'
_NO_MARK, _NOBODY = 3, 4
# Between the signal that came and the last one; and for the command to leave its number at all.
GRACE_S = 3.0
# The same once its docker has ended, which the engine was perhaps asked by.
BEGIN_S = 1.0
_LOOK_S = 0.2


def run(
    context: Context,
    session: Session,
    command: Sequence[str],
    *,
    tty: bool,
    stdin: bool,
    detach_keys: str = keys.EXEC,
) -> int:
    """Run `command` on our own streams, with the directory and the user of the session; returns its status, or 0 if
    the person left it running by the `detach_keys`, which only a terminal has.

    Raises what interrupts us, once the command has ended.
    """
    container = names.container(session.name)
    mark = _MARK + names.new_id()
    inside = f"{paths.CONTAINER_HOME}/{mark}"
    words = [
        "exec",
        *(["-i"] if stdin else []),
        *(["-t", "--detach-keys", detach_keys] if tty else []),
        container,
    ]
    size = proc.size() if tty else None
    if size is None:
        words += ["sh", "-c", _BEGIN, "clauderon", inside, *command]
    else:
        words += ["sh", "-c", _BEGIN_AT, "clauderon", inside, str(size[0]), str(size[1]), *command]
    try:
        words_of_docker: list[bytes] = []
        said = words_of_docker.append if tty and sys.stdout.isatty() else None
        cut_off = _Ending(context, container, inside)
        status = context.docker.pass_through(*words, cut_off=cut_off, said=said)
        if any(LEFT in text for text in words_of_docker):
            proc.leave()
            context.report.note(
                f"The command keeps running in session {session.name}. hint: docker top {container}"
            )
            return 0
        for text in filter(None, words_of_docker):
            context.report.note(text.decode("utf-8", "replace").rstrip())
        return status
    finally:
        with contextlib.suppress(OSError):
            (context.home.session_home(session.id) / mark).unlink()


class _Ending:
    """Has the command and its children end as it would have had it been here, and in the end for certain."""

    def __init__(self, context: Context, container: str, mark: str) -> None:
        self._context = context
        self._container = container
        self._mark = mark

    def __call__(self, signum: int, waits: Callable[[], bool]) -> None:
        """See `proc.pass_through`."""
        try:
            left = self._ask(signum, waits)
        except ClauderonError as error:
            left = error.why
        if left:
            what = f"the command may still be running in the container: {left}; look: docker top {self._container}"
            self._context.report.warn(what)

    def _ask(self, signum: int, waits: Callable[[], bool]) -> str:
        """Why the command may be there still, or nothing. Raises ClauderonError if the engine cannot be asked."""
        begun = time.monotonic()
        while (answer := self._send(_name(signum))) == _NO_MARK:
            if time.monotonic() > begun + (GRACE_S if waits() else BEGIN_S):
                return "it left no number to end it by" if waits() else ""
            time.sleep(_LOOK_S)
        while answer != _NOBODY:
            if time.monotonic() > begun + GRACE_S:
                self._send("KILL")
                return ""
            time.sleep(_LOOK_S)
            answer = self._send("0")
        return ""

    def _send(self, name: str) -> int:
        """0 if there was somebody to send it to, else `_NO_MARK` or `_NOBODY`. Raises ClauderonError."""
        words = ("exec", self._container, "sh", "-c", _SIGNAL, "clauderon", self._mark, name)
        try:
            self._context.docker.attempt(*words)
        except CommandFailed as failure:
            if failure.status not in (_NO_MARK, _NOBODY):
                raise
            return failure.status
        return 0


def sweep(home: Path) -> None:
    """Remove what commands left in the home of a session that is not running: whoever began them was killed."""
    for mark in home.glob(f"{_MARK}*"):
        with contextlib.suppress(OSError):
            mark.unlink()


def _name(signum: int) -> str:
    # A lost reader is nothing a command inside has heard of, unless it writes once more.
    return {signal.SIGINT: "INT", signal.SIGHUP: "HUP", signal.SIGQUIT: "QUIT"}.get(
        signal.Signals(signum), "TERM"
    )
