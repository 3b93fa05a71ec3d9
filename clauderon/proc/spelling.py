"""A child's output on our terminal, with what would drive the terminal spelled out as it passes."""

from __future__ import annotations

import codecs
import contextlib
import os
import subprocess
import threading
from typing import IO

from clauderon import visible

_CHUNK = 1 << 16


def pipe_for(descriptor: int) -> int | None:
    """For `Popen`: a pipe where our own stream of that number is a terminal, else the stream itself."""
    return subprocess.PIPE if os.isatty(descriptor) else None


def pass_on(source: IO[bytes] | None, descriptor: int) -> threading.Thread:
    """Begin to copy a pipe's text to our stream; join the thread for its end. Without a pipe there is nothing to do."""

    def copy() -> None:
        if source is None:
            return
        decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
        with contextlib.suppress(OSError, ValueError), open(descriptor, "wb", closefd=False) as ours:
            while chunk := os.read(source.fileno(), _CHUNK):
                ours.write(visible.lines(decode(chunk).replace("\r\n", "\n")).encode())
                ours.flush()

    thread = threading.Thread(target=copy, daemon=True)
    thread.start()
    return thread
