"""A line typed into a program that wants a terminal, by us in a person's place."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import subprocess
import termios
import time
import tty
from collections.abc import Sequence

from clauderon.proc.child import Env, cannot_start, find, held_signals, known, own, stop

# How long what is on the other side may take to show that it is there, and to take in what was typed.
_BEGIN_S, _SETTLE_S, _LEAVE_S = 3.0, 0.4, 3.0
_BLOCK = 64


def type_into(
    argv: Sequence[str], *, env: Env, text: str, leave: bytes, size: tuple[int, int] | None
) -> bool:
    """Run a command on a terminal of its own, type `text`, then Enter, then `leave`; whether it took all that.

    size: columns and lines of that terminal. Enter comes apart from the text, as a person's would: some programs take
    what comes in one piece for something pasted.
    """
    ours, theirs = pty.openpty()
    try:
        with held_signals():
            tty.setraw(theirs)
            columns, lines = size or (80, 24)
            termios.tcsetwinsize(theirs, (lines, columns))
            try:
                child = known(
                    subprocess.Popen(
                        [find(argv[0], env), *argv[1:]],
                        env=own(env),
                        stdin=theirs,
                        stdout=theirs,
                        stderr=theirs,
                        start_new_session=True,
                    )
                )
            except OSError as error:
                raise cannot_start(argv, None, error) from error
            finally:
                os.close(theirs)
        return _typed(ours, child, text.encode(), leave)
    finally:
        os.close(ours)


def _typed(ours: int, child: subprocess.Popen[bytes], text: bytes, leave: bytes) -> bool:
    """The status says nothing: docker's `attach` has one of its own for whoever leaves."""
    try:
        _read(ours, _BEGIN_S, until_quiet_s=_SETTLE_S)
        for start in range(0, len(text), _BLOCK):
            os.write(ours, text[start : start + _BLOCK])
            _read(ours, 0.0)
        _read(ours, _SETTLE_S)
        os.write(ours, b"\r")
        _read(ours, _SETTLE_S)
        if child.poll() is not None:
            return False
        os.write(ours, leave)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_LEAVE_S)
            return True
        return False
    except OSError:  # it has ended
        return False
    finally:
        stop(child)


def _read(ours: int, for_s: float, *, until_quiet_s: float | None = None) -> None:
    """Take away what is shown, so that whoever writes it does not wait. until_quiet_s: as long as nothing came.

    Raises OSError once nobody is there any more: the program has ended, if not quite yet for `poll`.
    """
    end = time.monotonic() + for_s
    while True:
        left = max(0.0, end - time.monotonic())
        ready, _, _ = select.select(
            [ours], [], [], left if until_quiet_s is None else min(left, until_quiet_s)
        )
        if not ready:
            return
        if not os.read(ours, 65536):
            raise OSError("the other side is closed")  # Linux says so itself
        if time.monotonic() > end:
            return  # it never falls silent
