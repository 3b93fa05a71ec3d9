"""Objects inside that were looked at and left out: remembered, so that no sync inflates them a second time.

An object is known by its name, size, inode and change time, which the container cannot set back. Holds words of
ours alone.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

MOST = 100_000


class LeftOut:
    """The memory of one session, in a file of ours; `keep` writes it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, str] = {}
        with contextlib.suppress(OSError, ValueError):
            for line in path.read_text(encoding="utf-8").splitlines():
                key, _, reason = line.partition("\t")
                self._known[key] = reason
        self._seen: dict[str, str] = {}

    def reason(self, name: str, found: os.stat_result) -> str | None:
        """Why this very file was left out before; None when it was not."""
        key = _key(name, found)
        reason = self._known.get(key)
        if reason is not None:
            self._seen[key] = reason
        return reason

    def add(self, name: str, found: os.stat_result, reason: str) -> None:
        """Leave a file out from now on. found: as it was before it was read."""
        self._seen[_key(name, found)] = reason

    @property
    def full(self) -> bool:
        """Whether more was left out than is listed."""
        return len(self._seen) > MOST

    def keep(self) -> None:
        """Write down what is still there."""
        if self._seen == self._known:
            return
        partial = self._path.with_name(self._path.name + ".tmp")
        lines = "".join(f"{key}\t{reason}\n" for key, reason in self._seen.items())
        partial.write_text(lines, encoding="utf-8")
        partial.replace(self._path)


def _key(name: str, found: os.stat_result) -> str:
    return f"{name} {found.st_size} {found.st_ino} {found.st_ctime_ns}"
