"""Two children, one of which reads what the other prints."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence

from clauderon.errors import EXIT_SIGNAL_BASE, CommandFailed
from clauderon.proc import waiting
from clauderon.proc.child import (
    INTERRUPTED_GRACE_S,
    Completed,
    Env,
    captured,
    finish,
    held_signals,
    stop,
)


def pipe(
    producer: Sequence[str],
    consumer: Sequence[str],
    *,
    env: Env,
    consumer_env: Env | None = None,
    cwd: str | os.PathLike[str] | None = None,
    stdin: bytes = b"",
) -> Completed:
    """Run `producer | consumer`, as a shell with pipefail would; returns the consumer's answer.

    stdin goes to the producer. Raises CommandFailed for whichever failed first in the pipe.
    """
    with contextlib.ExitStack() as children:
        second_env = env if consumer_env is None else consumer_env
        with held_signals() as came:
            first = captured(producer, env=env, cwd=cwd, stdin=subprocess.PIPE)
            children.callback(stop, first, INTERRUPTED_GRACE_S)
            second = captured(consumer, env=second_env, cwd=cwd, stdin=first.stdout)
            children.callback(stop, second, INTERRUPTED_GRACE_S)
        if came:
            signal.raise_signal(came[0])
        assert first.stdout is not None
        first.stdout.close()  # so that the producer gets SIGPIPE when the consumer ends early
        first.stdout = None
        consumed_by = _Consumer(tuple(consumer), second)
        produced = finish(tuple(producer), first, stdin, None, None, ends_by=(signal.SIGPIPE,))
        consumed = consumed_by.answer()
    # A consumer that fails kills its producer with SIGPIPE; its own message is then the useful one.
    broken_pipe = produced.status == EXIT_SIGNAL_BASE + signal.SIGPIPE
    for answer in (consumed, produced) if broken_pipe else (produced, consumed):
        if answer.status != 0:
            raise CommandFailed(answer.argv, answer.status, answer.stdout, answer.stderr)
    return consumed


class _Consumer(threading.Thread):
    """Reads a consumer's answer beside the producer's. Where that is interrupted, this ends without a word."""

    def __init__(self, argv: tuple[str, ...], child: subprocess.Popen[bytes]) -> None:
        super().__init__(daemon=True)
        self._argv, self._child = argv, child
        self._answer: Completed | None = None
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        """The thread's work; what goes wrong is for `answer`, and never a traceback of the thread's own."""
        try:
            self._answer = finish(self._argv, self._child, b"", None, None, aloud=False)
        except BaseException as error:  # noqa: BLE001 - handed to whoever asks for the answer
            self._error = error

    def answer(self) -> Completed:
        """Wait for the consumer's end. Raises what went wrong."""
        began = time.monotonic()
        self.join(waiting.PATIENCE_S)
        while self.is_alive():
            waiting.word(self._argv, time.monotonic() - began)
            self.join(10 * waiting.PATIENCE_S)
        if self._answer is None:
            raise self._error or RuntimeError("no answer")
        return self._answer
