"""Reading the audit for people and scripts: across rotated files, and along with a file that is being written."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from clauderon.proxy.audit.log import rotated_paths

POLL_S = 0.2


def read(
    path: Path,
    *,
    session: str | None = None,
    follow: bool = False,
    wait: Callable[[], bool] | None = None,
) -> Iterator[dict[str, Any]]:
    """The audit's records as dicts, oldest first, rotated files included.

    session: a session's name or id; None for all. follow: go on with what is written from now on, without end,
    through rotations. wait: called when there is nothing new, in place of a short sleep; False ends the reading.
    Lines that are no JSON are left out.
    """
    for line in _lines(path, follow, wait or _pause):
        # A cheap look before the parser: most lines of a busy audit belong to other sessions.
        if session is not None and json.dumps(session).encode() not in line:
            continue
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if not isinstance(record, dict):
            continue
        if session is None or session in (record.get("session"), record.get("id")):
            yield record


def _pause() -> bool:
    time.sleep(POLL_S)
    return True


def _lines(path: Path, follow: bool, wait: Callable[[], bool]) -> Iterator[bytes]:
    """Complete lines, without their newline."""
    files: list[BinaryIO] = []
    try:
        while True:
            files.extend(_open_newer(path, files[-1] if files else None))
            while len(files) > 1:
                # To its end once more: it may have grown between the last look and the rotation.
                yield from _complete(files[0])
                files.pop(0).close()
            if files:
                yield from _complete(files[0])
            if not follow or not wait():
                return
    finally:
        for file in files:
            file.close()


def _complete(file: BinaryIO) -> Iterator[bytes]:
    """The lines from the present position on; half a line at the end is left for the next time."""
    for line in file:
        if not line.endswith(b"\n"):
            file.seek(-len(line), os.SEEK_CUR)
            return
        yield line[:-1]


def _open_newer(path: Path, current: BinaryIO | None) -> list[BinaryIO]:
    """The files newer than `current` (None: all there are), opened, oldest first."""
    known = None if current is None else _inode(current.fileno())
    if known is not None and known == _inode(path):
        return []
    found: list[BinaryIO] = []
    seen: set[int | None] = {known}
    # Newest first: a rotation between two opens shows the same file again, which `seen` tells.
    for each in (path, *rotated_paths(path)):
        if known is not None and _inode(each) == known:
            break
        try:
            file = open(each, "rb")  # noqa: SIM115 - it stays open between calls
        except FileNotFoundError:
            continue
        inode = _inode(file.fileno())
        if inode in seen:
            file.close()
            continue
        seen.add(inode)
        found.append(file)
    return found[::-1]


def _inode(file: Path | int) -> int | None:
    try:
        return os.stat(file).st_ino  # noqa: PTH116 - for a descriptor as well
    except OSError:
        return None
