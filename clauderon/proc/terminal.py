"""Children on our own streams: what they print is for whom we print to, byte for byte."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

from clauderon.errors import EXIT_SIGNAL_BASE, Interrupted
from clauderon.proc.child import (
    INTERRUPTED_GRACE_S,
    STOP_GRACE_S,
    Completed,
    Env,
    cannot_start,
    find,
    held_signals,
    known,
    own,
    status_of,
    stop,
)
from clauderon.proc.spelling import pass_on, pipe_for
from clauderon.proc.terminal_modes import given_away

_PR_SET_PDEATHSIG = 1


def replace(argv: Sequence[str], *, env: Env) -> NoReturn:
    """Become the command: it takes over the terminal, the signals and the exit status."""
    path = find(argv[0], env)
    try:
        os.execve(path, list(argv), own(env))
    except OSError as error:
        raise cannot_start(argv, None, error) from error


def pass_through(
    argv: Sequence[str],
    *,
    env: Env,
    cut_off: Callable[[int, Callable[[], bool]], None],
    said: Callable[[bytes], None] | None = None,
) -> int:
    """Run a command on our own three streams and in our own process group; returns its status.

    cut_off: called with the number of the signal that ended the command, or us, and with what says whether the command
    is still there. For a command that is only the near end of one somewhere else, which would go on; the near end has
    some seconds to end by itself then, and is stopped. What it says of itself does not count then: docker 28 takes its
    interruption for a success.
    said: for a command that has a terminal on stdin and stdout, and on stderr only words of its near end: gets those.
    """
    with contextlib.ExitStack() as around:
        around.enter_context(_quitting_interrupts())
        if said is not None:
            around.enter_context(given_away(always=False))
        child, came = _begin_here(argv, env, stderr=subprocess.PIPE if said is not None else None)
        try:
            if came:
                signal.raise_signal(came[0])
            returncode = child.wait()
        except BaseException as interrupt:
            try:
                cut_off(getattr(interrupt, "signum", signal.SIGINT), lambda: child.poll() is None)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(STOP_GRACE_S)
            finally:
                stop(child)
            raise
    if child.stderr is not None and said is not None:
        with child.stderr:
            said(child.stderr.read())
    if returncode < 0:
        cut_off(-returncode, lambda: False)
    return status_of(returncode)


def visit(argv: Sequence[str], *, env: Env) -> Completed:
    """Run a command that takes our terminal over, in our own process group; its stderr comes back, and our terminal
    out of every mode, on a line of its own.

    For docker's `attach`, which has a word to say at the end of a visit and a status that is not the agent's.
    """
    child, came = _begin_here(argv, env, stderr=subprocess.PIPE)
    assert child.stderr is not None
    with given_away():
        try:
            if came:
                signal.raise_signal(came[0])
            with child.stderr:
                errors = child.stderr.read()
            return Completed(tuple(argv), status_of(child.wait()), b"", errors)
        except BaseException:
            # A signal for both ends the child too, though docker ignores one or two. We restore the terminal.
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(INTERRUPTED_GRACE_S)
            stop(child, INTERRUPTED_GRACE_S)
            raise


def until_reader_leaves(argv: Sequence[str], *, env: Env) -> int:
    """Run a command on our own streams; returns its status, or SIGPIPE's at once when nobody reads any more.

    For one that has long nothing to write, and so does not notice.
    """
    child, came = _begin_here(argv, env)
    try:
        if came:
            signal.raise_signal(came[0])
        left = threading.Event()

        def look() -> None:
            if reader_left(None):
                left.set()
                child.terminate()

        threading.Thread(target=look, daemon=True).start()
        status = status_of(child.wait())
        return EXIT_SIGNAL_BASE + signal.SIGPIPE if left.is_set() else status
    except BaseException:
        stop(child, INTERRUPTED_GRACE_S)
        raise


def reader_left(timeout_ms: int | None = 0) -> bool:
    """Whether nobody can read what we print any more; None waits until it is so."""
    poll = select.poll()
    poll.register(1, 0)
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(timeout_ms))


def foreground(argv: Sequence[str], *, env: Env, stdin: bytes = b"", capture: bool = False) -> Completed:
    """Run a command on our own stdout and stderr; returns its status, and its stdout if that was captured.

    For output that is followed by something of ours, and must pass through byte for byte; but on a terminal, which it
    would drive, where that is spelled out. A Ctrl-C is ours: the
    child is stopped and the interrupt goes on. Where nothing follows, `replace` is the better door.
    stdin: less than a pipe holds. It is written at once and the pipe stays open until the child ends: `docker
    attach` gives up listening when its input ends (client 28 with engine 20.10).
    """
    try:
        with held_signals() as came:
            child = known(
                subprocess.Popen(
                    [find(argv[0], env), *argv[1:]],
                    env=own(env),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE if capture else pipe_for(1),
                    stderr=pipe_for(2),
                    process_group=0,
                    preexec_fn=ends_with_us(signal.SIGKILL),
                )
            )
    except OSError as error:
        raise cannot_start(argv, None, error) from error
    try:
        if came:
            signal.raise_signal(came[0])
        with contextlib.suppress(BrokenPipeError), child.stdin as pipe_end:  # type: ignore[union-attr]
            pipe_end.write(stdin)
            pipe_end.flush()
            passing = [pass_on(None if capture else child.stdout, 1), pass_on(child.stderr, 2)]
            stdout = child.stdout.read() if capture and child.stdout is not None else b""
            status = status_of(child.wait())
            for thread in passing:
                thread.join()
        return Completed(tuple(argv), status, stdout, b"")
    except BaseException:
        stop(child, INTERRUPTED_GRACE_S)
        raise
    finally:
        for pipe_end in filter(None, (child.stdout, child.stderr)):
            pipe_end.close()


def _begin_here(
    argv: Sequence[str], env: Env, *, stderr: int | None = None
) -> tuple[subprocess.Popen[bytes], list[int]]:
    """Start a command on our own streams, in our own process group; with it the signals that came meanwhile."""
    try:
        with held_signals() as came:
            child = known(
                subprocess.Popen(
                    [find(argv[0], env), *argv[1:]], env=own(env), stderr=stderr, preexec_fn=ends_with_us()
                )
            )
    except OSError as error:
        raise cannot_start(argv, None, error) from error
    return child, came


def ends_with_us(number: int = signal.SIGTERM) -> Callable[[], None] | None:
    """For a child: that the kernel ends it should we be killed. It would hold our terminal and our pipes.

    number: KILL for one that has no terminal to put in order: `docker attach` does not end by TERM (client 28).
    """
    if sys.platform != "linux":
        return None
    import ctypes

    prctl, us = ctypes.CDLL(None).prctl, os.getpid()

    def end_with_us() -> None:
        prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != us:
            os.kill(os.getpid(), number)

    return end_with_us


@contextlib.contextmanager
def _quitting_interrupts() -> Iterator[None]:
    """Ctrl-\\ as an interrupt: by itself it would leave the child, which has its own mind about it, alone."""
    before = signal.getsignal(signal.SIGQUIT)
    if before is signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGQUIT, _interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGQUIT, before)


def _interrupted(signum: int, _frame: object) -> None:
    signal.signal(signum, signal.SIG_IGN)  # once is enough
    raise Interrupted(signum)
