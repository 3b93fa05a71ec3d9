"""One service per home: the lock its supervisor holds for as long as it lives, and what the lock file says. Cheap.

The kernel lets go of the lock when its holder dies, however it dies: what is left in the file is then stale, and
known to be.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

from clauderon import filelock
from clauderon.paths import Home

# Readers share the lock for an instant; that long they are waited for.
ACQUIRE_S = 0.3


def _path(home: Home) -> Path:
    return home.locks / "proxy.lock"


class Lock:
    """Held until the process ends; keeps the file's content, which holds no secret, up to date."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor = descriptor
        self._path = path

    def write(self, content: dict[str, Any]) -> None:
        """Replace the file's content, JSON. A full disk is no error."""
        data = json.dumps(content).encode()
        # With a full disk the old text stays, or half of the new one. Readers take that for a service that is starting.
        with contextlib.suppress(OSError):
            os.pwrite(self._descriptor, data, 0)
            os.ftruncate(self._descriptor, len(data))

    def in_place(self) -> bool:
        """Whether the file is still where the next service looks: elsewhere it would take a lock of its own.

        A home that was removed has it no more, nor has one that was unmounted while we held the file.
        """
        try:
            return os.path.samestat(self._path.stat(), os.fstat(self._descriptor))
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True  # a disk that cannot be read for a moment


def acquire(home: Home) -> Lock | None:
    """The lock, or None if a service runs already."""
    descriptor = os.open(_path(home), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + ACQUIRE_S
    while True:
        if filelock.exclusive(descriptor):
            return Lock(descriptor, _path(home))
        # Whoever waited here for a running service would take its place when that is told to stop.
        if _is_exclusive(descriptor) or time.monotonic() > deadline:
            os.close(descriptor)
            return None
        time.sleep(0.01)


def _is_exclusive(descriptor: int) -> bool:
    """Whether a service holds the lock, and not only readers, who share it."""
    if not filelock.shared(descriptor):
        return True
    filelock.release(descriptor)
    return False


def holder(home: Home) -> dict[str, Any] | None:
    """What the running service wrote, empty while it starts; None if none runs.

    `pid`, `version`; `held`: name to origin of its secrets; `problem`: why its worker does not start, with the hint
    after a tab, empty unless it was tried in vain; `failures`: how often.
    """
    try:
        descriptor = os.open(_path(home), os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):  # no home, or a file where it should be
        return None
    try:
        if filelock.shared(descriptor):
            return None  # nobody holds it
        content = json.loads(os.pread(descriptor, 1 << 20, 0))
        return content if isinstance(content, dict) else {}
    except ValueError:
        return {}
    finally:
        os.close(descriptor)
