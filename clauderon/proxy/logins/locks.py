"""Who renews a login: one process of this machine at a time, of any home, and not while the client itself does.

Ours is a kernel lock on a file beside the login. A client's own is a directory that it makes, and touches while it
works; one that was not touched for a minute was left by a process that is gone. Of ours we know at once whether it was:
the file says which directories its holder made.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from clauderon import filelock, files

WAIT_S = 90.0
STALE_S = 60.0
_POLL_S = 0.05


class Busy(Exception):
    """Somebody else has renewed it for longer than anybody should."""


@contextlib.contextmanager
def held(beside: Path, theirs: Sequence[Path], wait_s: float = WAIT_S) -> Iterator[Callable[[], None]]:
    """Hold both kinds; what is yielded says once more that we are at work, which is believed for `STALE_S`.

    Raises Busy, and OSError where a directory cannot be made.
    """
    lock = beside.with_name(f"{beside.name}.clauderon-lock")
    with filelock.held(lock, Busy(str(lock)), wait_s), contextlib.ExitStack() as stack:
        _remove_ours(lock, theirs)
        for directory in theirs:
            stack.enter_context(_directory(directory, wait_s))
            _note(lock, theirs)

        def again() -> None:
            for directory in theirs:
                os.utime(directory)
            _note(lock, theirs)

        yield again


@contextlib.contextmanager
def _directory(path: Path, wait_s: float) -> Iterator[None]:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            path.mkdir(mode=0o700)
            break
        except FileExistsError:
            _remove_left(path)
        if time.monotonic() > deadline:
            raise Busy(str(path))
        time.sleep(_POLL_S)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.rmdir()


def _remove_left(path: Path) -> None:
    """Remove a lock whose holder is gone."""
    with contextlib.suppress(OSError):
        age = time.time() - path.stat().st_mtime
        if not -STALE_S < age < STALE_S:
            path.rmdir()


def _seen(path: Path) -> list[object]:
    """What tells one lock at this place from the next."""
    try:
        status = path.stat()
    except OSError:
        return []
    return [str(path), status.st_ino, status.st_mtime_ns]


def _note(lock: Path, theirs: Sequence[Path]) -> None:
    lock.write_text(json.dumps([_seen(path) for path in theirs]))


def _remove_ours(lock: Path, theirs: Sequence[Path]) -> None:
    """Remove what a killed holder of our lock left: it cannot be at work, since we have the lock."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        noted = json.loads(files.read(lock, 1 << 16))
        for path in theirs:
            if _seen(path) in noted:
                path.rmdir()
