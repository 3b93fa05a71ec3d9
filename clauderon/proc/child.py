"""What every child process has in common: how it is found, what it said, how it is stopped."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

from clauderon.errors import (
    EXIT_SIGNAL_BASE,
    CommandFailed,
    CommandKilled,
    CommandTimeout,
    ToolMissing,
    UsageError,
)
from clauderon.proc import waiting

Env = Mapping[str, str]
# How long a child may take to answer each step of the stop ladder (interrupt, terminate, kill).
STOP_GRACE_S = 3.0
# The same for a child whose caller was interrupted: a person waits for the prompt. docker and git obey the first step.
INTERRUPTED_GRACE_S = 0.1
# What poll(2) takes: three weeks.
_LONGEST_MS = 2**31 - 1


class Completed(NamedTuple):
    """What a finished child said. `status` is 128+n for a child ended by signal n."""

    argv: tuple[str, ...]
    status: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """stdout as text; bytes that are not UTF-8 survive a round trip (`surrogateescape`)."""
        return self.stdout.decode("utf-8", "surrogateescape")

    @property
    def error_text(self) -> str:
        """stderr as text, without newlines at its end."""
        return self.stderr.decode("utf-8", "replace").rstrip("\n")


def operand(value: str) -> str:
    """`value`, as a word of its own where a program also takes options. Raises UsageError if it would be one."""
    if value.startswith("-"):
        raise UsageError(ascii(value), "it begins with '-', and would be taken for an option")
    return value


def own(env: Env) -> dict[str, str]:
    """`env` for a child, its PATH without what is relative: in an agent's worktree `.` would find the agent's `git`."""
    if "PATH" not in env:
        return dict(env)
    return {**env, "PATH": ":".join(part for part in env["PATH"].split(":") if part.startswith("/"))}


def find(program: str, env: Env) -> str:
    """The absolute path of `program` on the PATH of `env`, as `own` leaves it. Raises ToolMissing."""
    path = shutil.which(program, path=own(env).get("PATH", os.defpath))
    if path is None:
        raise ToolMissing(program, "not found on PATH", hint=f"command -v {program}")
    return str(Path(path).absolute())


def is_nowhere() -> bool:
    """Whether the directory we are in was removed; a child that is told of none starts at `/` then."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


# Children that were started and have not been waited for. Strong references: one that its caller was interrupted before
# it could keep is found here alone.
_underway: set[Any] = set()
T = TypeVar("T")


def known(child: T) -> T:
    """Keep the child for `stop_unwaited`, until it has ended. Called while signals are held; returns the child."""
    _underway.difference_update([one for one in list(_underway) if one.returncode is not None])
    _underway.add(child)
    return child


class Child(subprocess.Popen[bytes]):
    """A child whose end is heard of at once. Popen looks for it between sleeps, of a millisecond and more."""

    def wait(self, timeout: float | None = None) -> int:
        """As Popen's."""
        if timeout is not None and timeout > 0 and self.returncode is None:
            # Not everywhere (Linux 5.3), and not where descriptors are short: then Popen's way alone.
            with contextlib.suppress(AttributeError, OSError):
                ended = os.pidfd_open(self.pid)
                try:
                    poll = select.poll()
                    poll.register(ended, select.POLLIN)
                    began = time.monotonic()
                    poll.poll(min(timeout * 1000, _LONGEST_MS))
                    timeout = max(0.0, timeout - (time.monotonic() - began))
                finally:
                    os.close(ended)
        return super().wait(timeout)


def captured(
    argv: Sequence[str],
    *,
    env: Env,
    cwd: str | os.PathLike[str] | None,
    stdin: int | IO[bytes] | None,
) -> subprocess.Popen[bytes]:
    """Start a child whose output comes to us through pipes, in a process group of its own; it is `known`.

    stdin: as `Popen` has it. Called while signals are held. Raises OSError and ToolMissing.
    """
    return known(
        Child(
            [find(argv[0], env), *argv[1:]],
            cwd=cwd,
            env=own(env),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
        )
    )


def stop_unwaited() -> None:
    """Stop what an interrupted caller did not come to wait for: the last act of a command that was interrupted."""
    for child in list(_underway):
        stop(child, INTERRUPTED_GRACE_S)


@contextlib.contextmanager
def held_signals() -> Iterator[list[int]]:
    """Collect the signals that would interrupt us: between a child's start and our knowing it, nobody could stop it."""
    came: list[int] = []
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            # An ignored signal stays ignored, since the child inherits that.
            if callable(signal.getsignal(number)):
                before[number] = signal.signal(number, lambda number, _frame: came.append(number))
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def finish(
    argv: tuple[str, ...],
    child: Any,
    stdin: bytes,
    timeout_s: float | None,
    ok: Collection[int] | None,
    settle_s: float = 0.0,
    came: Sequence[int] = (),
    *,
    aloud: bool = True,
    unanswered: Callable[[], None] | None = None,
    ends_by: Collection[int] = (),
) -> Completed:
    """Wait for a child and judge its answer; an interrupt lets it settle, then stops it.

    ends_by: signals whose end of it is an answer, as a status is. Any other raises CommandKilled, whatever `ok` allows:
    a git that was killed has not said "no".
    came: the signals that were held back while it started; the first of them interrupts us now.
    aloud: whether it is said when the child takes long (`waiting`).
    unanswered: called when the child had to be stopped before it answered, in time or before it had settled.
    """
    try:
        if came:
            signal.raise_signal(came[0])
        stdout, stderr = waiting.communicate(argv, child, stdin, timeout_s, aloud=aloud)
    except subprocess.TimeoutExpired as error:
        stop(child)
        if unanswered is not None:
            unanswered()
        raise CommandTimeout(waiting.briefly(argv), f"no answer after {timeout_s:g} s") from error
    except BaseException:
        try:
            if settle_s:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(settle_s)
        finally:
            if child.poll() is None and unanswered is not None:
                unanswered()
            stop(child, INTERRUPTED_GRACE_S)
        raise
    answer = Completed(argv, status_of(child.returncode), stdout, stderr)
    if child.returncode < 0 and -child.returncode not in ends_by:
        raise killed(argv, -child.returncode, answer.error_text)
    if ok is not None and answer.status not in ok:
        raise CommandFailed(argv, answer.status, answer.stdout, answer.stderr)
    return answer


def killed(argv: Sequence[str], signum: int, detail: str) -> CommandKilled:
    """The error for a child that a signal ended."""
    with contextlib.suppress(ValueError):
        return CommandKilled(waiting.briefly(argv), signal.Signals(signum).name, detail)
    return CommandKilled(waiting.briefly(argv), f"signal {signum}", detail)


def status_of(returncode: int) -> int:
    """A shell's exit status for a return code: 128 and the signal's number for a signal."""
    return EXIT_SIGNAL_BASE - returncode if returncode < 0 else returncode


def stop(child: Any, grace_s: float = STOP_GRACE_S) -> None:
    """The stop ladder: interrupt, wait, terminate, wait, kill. grace_s: each wait's."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if child.poll() is not None:
            break
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(signum)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(grace_s)
    for pipe_end in (child.stdin, child.stdout, child.stderr):
        if pipe_end is not None:
            with contextlib.suppress(OSError):
                pipe_end.close()


def cannot_start(argv: Sequence[str], cwd: object, error: OSError) -> ToolMissing:
    """The error for a program that cannot be started, with the directory where that is the reason."""
    place = f" in {cwd}" if cwd is not None and not Path(str(cwd)).is_dir() else ""
    return ToolMissing(argv[0], f"cannot be started{place}: {error.strerror or error}")
