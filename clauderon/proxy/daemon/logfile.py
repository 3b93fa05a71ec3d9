"""The service's log: lines on stderr, which is `logs/proxy.log` or a terminal, and never a reason to fall over."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path

STDERR = 2
MAX_BYTES = 1 << 20


def say(text: str) -> None:
    """One line. A full disk or a closed terminal loses it, and that is all it does."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S")
    with contextlib.suppress(OSError):
        os.write(STDERR, f"{stamp} proxy: {text}\n".encode(errors="replace"))


def trim(path: Path) -> None:
    """Keep the log from growing without end: what is there moves to `proxy.log.1`, and the file starts over.

    Copied and cut rather than renamed, because supervisor and worker write to it by a descriptor they inherited.
    """
    with contextlib.suppress(OSError):
        if path.stat().st_size > MAX_BYTES and os.path.samestat(path.stat(), os.fstat(STDERR)):
            shutil.copyfile(path, path.with_name(f"{path.name}.1"))
            os.ftruncate(STDERR, 0)
