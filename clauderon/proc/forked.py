"""Work in copies of this process, side by side: what was imported and read is there already in each.

The copy has one thread, and signals of its own: work that undoes itself when it is interrupted does so there as here.
Nothing that is open and must not be shared (a database) may be open when one is made; that is the caller's to see to.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, NoReturn

from clauderon.errors import EXIT_BUG, EXIT_SIGNAL_BASE, Interrupted

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Copy(NamedTuple):
    number: int
    pid: int
    answers: int


def side_by_side(jobs: Sequence[Callable[[], bytes]], at_once: int) -> Iterator[tuple[int, bytes]]:
    """(number of the job, what it returned) of each job, as they end; b"" for a copy that was ended before it answered.

    at_once: how many run at a time. A signal that interrupts us is passed on to all of them, no further one is made,
    and it is raised again when they have ended.
    """
    waiting = list(enumerate(jobs))[::-1]
    running: list[_Copy] = []
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                number, job = waiting.pop()
                running.append(_begin(number, job, running))
            ended = running.pop(_first_readable(running))
            yield ended.number, _answer_of(ended)
    except BaseException as interrupt:
        number = getattr(interrupt, "signum", signal.SIGINT)
        for each in running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(each.pid, number)
        raise
    finally:
        for each in running:
            _answer_of(each)


def _begin(number: int, job: Callable[[], bytes], others: Sequence[_Copy]) -> _Copy:
    reading, writing = os.pipe()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        pid = os.fork()
        if pid == 0:
            for each in (*(other.answers for other in others), reading):
                os.close(each)
            _be_the_copy(job, writing, before)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    os.close(writing)
    return _Copy(number, pid, reading)


def _be_the_copy(job: Callable[[], bytes], writing: int, mask: set[int]) -> NoReturn:
    """Never returns: what is above us on the stack is the original's."""
    status = EXIT_BUG
    try:
        # A group of its own: a Ctrl-C at the terminal reaches the original, which passes it on, once.
        os.setpgid(0, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        with open(writing, "wb") as pipe:
            pipe.write(job())
        status = 0
    except KeyboardInterrupt:
        status = EXIT_SIGNAL_BASE + signal.SIGINT
    except Interrupted as interrupt:
        status = EXIT_SIGNAL_BASE + interrupt.signum
    finally:
        os._exit(status)


def _first_readable(running: Sequence[_Copy]) -> int:
    """The index of the first that says something, or has ended."""
    import select

    poll = select.poll()
    for each in running:
        poll.register(each.answers, select.POLLIN)
    ready = {descriptor for descriptor, _ in poll.poll()}
    return next(index for index, each in enumerate(running) if each.answers in ready)


def _answer_of(copy: _Copy) -> bytes:
    with open(copy.answers, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(copy.pid, 0)
    return answer
