"""Kernel locks on files: a killed holder leaves nothing behind. The only caller of `flock`.

What a held lock means, and what is said about it, is for the caller to know.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

FOREVER_S = float("inf")
_POLL_S = 0.02


@contextlib.contextmanager
def held(path: Path, busy: Exception, wait_s: float, *, passing: bool = False) -> Iterator[None]:
    """Hold the lock of this file, which is made where it is missing. Raises `busy` if it is not free within `wait_s`.

    passing: the file goes with the last holder. One that a killed command leaves is for `sweep`.
    """
    descriptor = take(path, wait_s)
    if descriptor is None:
        raise busy
    try:
        yield
    finally:
        if passing:
            path.unlink(missing_ok=True)
        os.close(descriptor)


def take(path: Path, wait_s: float = 0.0) -> int | None:
    """The descriptor that holds the lock until it is closed; None if the lock is not free within `wait_s`.

    Raises FileNotFoundError where the directory is gone.
    """
    deadline = time.monotonic() + wait_s
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if exclusive(descriptor):
            # Who held it may have removed it between our two calls: then the next one would take another file.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(path.stat(), os.fstat(descriptor)):
                    return descriptor
        elif time.monotonic() >= deadline:
            os.close(descriptor)
            return None
        else:
            time.sleep(_POLL_S)
        os.close(descriptor)


def exclusive(descriptor: int) -> bool:
    """Take the lock of an open file for this holder alone, if it is free now; whether it was."""
    return _at_once(descriptor, fcntl.LOCK_EX)


def shared(descriptor: int) -> bool:
    """Take the lock of an open file beside others who share it, if nobody has it alone; whether that was so."""
    return _at_once(descriptor, fcntl.LOCK_SH)


def wait(descriptor: int) -> None:
    """Take the lock of an open file for this holder alone, however long that takes."""
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def release(descriptor: int) -> None:
    """Give the lock of an open file back before the file is closed."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)


def _at_once(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock of this file; False where the file does not exist."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not exclusive(descriptor)
    finally:
        os.close(descriptor)


def sweep(path: Path) -> None:
    """Remove a lock's file unless somebody holds it."""
    descriptor = take(path)
    if descriptor is not None:
        path.unlink(missing_ok=True)
        os.close(descriptor)
