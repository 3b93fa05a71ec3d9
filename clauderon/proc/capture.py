"""Children whose answer is wanted: at the end, later, or line by line."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from clauderon.errors import CommandFailed, CommandTimeout
from clauderon.proc import waiting
from clauderon.proc.child import (
    INTERRUPTED_GRACE_S,
    STOP_GRACE_S,
    Completed,
    Env,
    cannot_start,
    captured,
    find,
    finish,
    held_signals,
    is_nowhere,
    killed,
    known,
    own,
    stop,
)

# A pull or a build says a line every few seconds; one that has not is stuck, or loads a large layer.
_SILENCE_S = 20.0
# Every pipe takes as much without waiting for its reader (PIPE_BUF on Linux; POSIX says 512 at the least).
_AT_ONCE_BYTES = select.PIPE_BUF


def run(
    argv: Sequence[str],
    *,
    env: Env,
    cwd: str | os.PathLike[str] | None = None,
    stdin: bytes = b"",
    timeout_s: float | None = None,
    ok: Collection[int] | None = (0,),
    settle_s: float = 0.0,
    aloud: bool = True,
    unanswered: Callable[[], None] | None = None,
) -> Completed:
    """Run a command to its end and return its answer.

    ok: the statuses that are no failure; None allows every one.
    settle_s: how long an interrupted caller lets it end by itself before it is stopped: for a child that has told
    a server to make something, which the server does whether or not the child is there to hear of it.
    aloud, unanswered: as `child.finish` has them.
    Raises CommandFailed, CommandKilled, CommandTimeout (the child is stopped first) and ToolMissing.
    """
    if is_nowhere():
        # plumbum cannot be imported there, and git does not start.
        running = start(argv, env=env, cwd=cwd or "/", stdin=stdin)
        return running.result(
            timeout_s=timeout_s, ok=ok, settle_s=settle_s, aloud=aloud, unanswered=unanswered
        )
    from plumbum import local
    from plumbum.machines.local import LocalCommand

    # plumbum lays each call's environment over a copy it took at import; ours is the whole truth.
    local.env.clear()
    command = LocalCommand(local.path(find(argv[0], env)))
    try:
        with held_signals() as came:
            child = known(
                command.popen(list(argv[1:]), cwd=os.fspath(cwd or Path.cwd()), env=own(env), process_group=0)
            )
    except OSError as error:
        raise cannot_start(argv, cwd, error) from error
    return finish(
        tuple(argv), child, stdin, timeout_s, ok, settle_s, came, aloud=aloud, unanswered=unanswered
    )


class Running:
    """A child that was started and not yet asked for its answer."""

    __slots__ = ("argv", "child", "stdin")

    def __init__(self, argv: tuple[str, ...], child: subprocess.Popen[bytes], stdin: bytes) -> None:
        self.argv = argv
        self.child = child
        self.stdin = stdin

    def result(
        self,
        *,
        timeout_s: float | None = None,
        ok: Collection[int] | None = (0,),
        settle_s: float = 0.0,
        aloud: bool = True,
        unanswered: Callable[[], None] | None = None,
    ) -> Completed:
        """Wait for the child; raises and settles as `run` does."""
        return finish(
            self.argv, self.child, self.stdin, timeout_s, ok, settle_s, aloud=aloud, unanswered=unanswered
        )

    def ended(self) -> bool:
        """Whether the child has ended; `result` then answers at once."""
        return self.child.poll() is not None

    def stop(self) -> None:
        """End the child if it still runs."""
        stop(self.child)


def start(
    argv: Sequence[str],
    *,
    env: Env,
    cwd: str | os.PathLike[str] | None = None,
    stdin: bytes = b"",
) -> Running:
    """Begin a command without waiting; ask `Running.result` later.

    subprocess rather than plumbum: this is what `create` uses while plumbum's import is still under way.
    A child that prints more than a pipe holds (64 KiB) waits until `result` reads it; of a stdin that a pipe may not
    hold it has the whole only then.
    """
    try:
        with held_signals() as came:
            given = subprocess.PIPE if stdin else subprocess.DEVNULL
            child = captured(argv, env=env, cwd=cwd, stdin=given)
    except OSError as error:
        raise cannot_start(argv, cwd, error) from error
    if came:
        stop(child)
        signal.raise_signal(came[0])
    if 0 < len(stdin) <= _AT_ONCE_BYTES and child.stdin is not None:
        with contextlib.suppress(BrokenPipeError):  # it wants none of it; its status and its words say why
            child.stdin.write(stdin)
            child.stdin.flush()
        with contextlib.suppress(BrokenPipeError):
            child.stdin.close()
        child.stdin, stdin = None, b""
    return Running(tuple(argv), child, stdin)


def stream(
    argv: Sequence[str],
    *,
    env: Env,
    cwd: str | os.PathLike[str] | None = None,
    on_stdout: Callable[[str], None] | None = None,
    on_stderr: Callable[[str], None] | None = None,
    timeout_s: float | None = None,
    ok: Collection[int] | None = (0,),
    drawn: bool = False,
) -> int:
    """Run a command that talks for long, handing over each line as it comes; returns the status.

    on_stdout, on_stderr: called with each line, newline included; None throws the stream away.
    drawn: its stdout is a terminal, and comes in pieces as it was written: some say more to one than to a pipe.
    Raises as `run` does; CommandFailed then carries the last lines of stderr.
    """
    import sh

    tail: list[str] = []
    heard = [time.monotonic()]

    def hear(line: str) -> None:
        heard[0] = time.monotonic()
        if on_stdout is not None:
            on_stdout(line)

    def keep_stderr(line: str) -> None:
        heard[0] = time.monotonic()
        tail.append(line)
        del tail[:-200]
        if on_stderr is not None:
            on_stderr(line)

    options = {"_out": hear, "_err": keep_stderr, **_sh_options(env, cwd, drawn=drawn)}
    with held_signals() as came:
        command = sh.Command(find(argv[0], env))(*argv[1:], **options)
    try:
        if came:
            signal.raise_signal(came[0])
        with waiting.said_beside(argv, lambda: heard[0], _SILENCE_S):
            command.wait(timeout=timeout_s)
        status = int(command.exit_code)
    except sh.TimeoutException as error:
        _stop_sh(command)
        raise CommandTimeout(argv[0], f"no end after {timeout_s:g} s", detail="".join(tail)) from error
    except sh.SignalException as error:
        raise killed(argv, abs(int(error.exit_code)), "".join(tail)) from error
    except BaseException:
        _stop_sh(command, INTERRUPTED_GRACE_S)
        raise
    if ok is not None and status not in ok:
        raise CommandFailed(argv, status, b"", "".join(tail).encode())
    return status


def _sh_options(env: Env, cwd: str | os.PathLike[str] | None, *, drawn: bool) -> dict[str, Any]:
    options = {
        "_env": own(env),
        "_cwd": os.fspath(cwd) if cwd is not None else "/" if is_nowhere() else None,
        "_tty_out": drawn,
        "_out_bufsize": 0 if drawn else 1,
        "_in": None,
        "_no_out": False,
        "_bg": True,
        "_bg_exc": False,
        "_new_session": True,
        "_encoding": "utf-8",
        "_decode_errors": "replace",
        "_ok_code": list(range(256)),
        "_return_cmd": True,
    }
    return {key: value for key, value in options.items() if value is not None}


def _stop_sh(command: Any, grace_s: float = STOP_GRACE_S) -> None:
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if not command.is_alive():
            return
        with contextlib.suppress(ProcessLookupError, OSError):
            command.signal(signum)
        with contextlib.suppress(Exception):
            command.wait(timeout=grace_s)
