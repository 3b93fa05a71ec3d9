"""A terminal for a child process: what a person would see of it, as the bytes it was sent."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

GIVE_UP_S = 60.0


class Seen(NamedTuple):
    """stdout is what went elsewhere than to the terminal; shown is what the terminal was sent, `\\r\\n` and all."""

    status: int
    stdout: str
    shown: str


def on_a_terminal(
    argv: Sequence[str],
    *,
    environ: Mapping[str, str],
    stdout: bool = False,
    interrupt: Callable[[str], bool] | None = None,
) -> Seen:
    """Run with a terminal on stderr, and on stdin and stdout too if `stdout`.

    interrupt: asked about all that was shown so far; once it is true, Ctrl-C is pressed.
    """
    ours, theirs = pty.openpty()
    with contextlib.ExitStack() as stack:
        screen = stack.enter_context(os.fdopen(ours, "rb", buffering=0))
        child = stack.enter_context(
            subprocess.Popen(
                argv,
                stdin=theirs if stdout else subprocess.DEVNULL,
                stdout=theirs if stdout else subprocess.PIPE,
                stderr=theirs,
                env=dict(environ),
                start_new_session=True,
            )
        )
        os.close(theirs)
        shown, give_up = b"", time.monotonic() + GIVE_UP_S
        with contextlib.suppress(OSError):  # how Linux says that the other side is closed
            while chunk := screen.read(4096):
                shown += chunk
                if interrupt is not None and interrupt(shown.decode("utf-8", "replace")):
                    interrupt = None
                    os.killpg(child.pid, signal.SIGINT)
                if time.monotonic() > give_up:
                    child.kill()
        said = child.stdout.read() if child.stdout is not None else b""
        status = child.wait()
    return Seen(128 - status if status < 0 else status, said.decode(), shown.decode("utf-8", "replace"))
