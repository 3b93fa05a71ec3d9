"""The index of a worktree that git has just checked out, made so that git need not read the files again.

git takes a file for unchanged by its times, its size and the like, but not one that is as young as the index: it may
have been written once more in the same second. Right after a checkout that is every file, and `git add --all` then
stores each of them anew. Here such files become a second older, and the index says so. From then on, whatever is
written has another time.

Runs before anybody but git has written to the worktree. Starts no process; an index it cannot read stays as it is.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from clauderon import files
from clauderon.airlock.marked import walk

_SECOND = 1_000_000_000
_MOST_BYTES = 1 << 30
# ctime, mtime, device, inode, mode, uid, gid, size; the times as seconds and nanoseconds.
_STAT = struct.Struct(">10L")
_TIMES = struct.Struct(">4L")
_KINDS = (stat.S_IFREG, stat.S_IFLNK)


class _Entry(NamedTuple):
    offset: int
    path: bytes
    stat: tuple[int, ...]


def settle(admin: Path, worktree: Path, oid_bytes: int) -> None:
    """Make no entry of the index as young as the index itself. oid_bytes: 20 or 32.

    admin: the worktree's administrative directory. Nothing happens while another git holds the index.
    """
    with contextlib.suppress(OSError, struct.error, ValueError, IndexError):
        _settle(admin / "index", os.fsencode(worktree), oid_bytes)


def _settle(index: Path, top: bytes, oid_bytes: int) -> None:
    content = bytearray(files.read(index, _MOST_BYTES))
    lock = index.with_name("index.lock")  # git's own: who has it may write, and it becomes the index
    descriptor = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with open(descriptor, "wb") as file:
            # By the clock that files get their times from, which is behind the process's.
            now = os.fstat(file.fileno()).st_mtime_ns // _SECOND
            for entry in _young(bytes(content), oid_bytes, now):
                found = _made_older(os.path.join(top, entry.path), entry, now - 1)  # noqa: PTH118 - hot path
                if found is not None:
                    _TIMES.pack_into(content, entry.offset, *_times(found))
            _seal(content, oid_bytes)
            file.write(content)
        lock.replace(index)
    except BaseException:
        lock.unlink(missing_ok=True)
        raise


def _young(content: bytes, oid_bytes: int, now: int) -> Iterator[_Entry]:
    """The entries of files whose content was written in second `now` or later."""
    for offset, path, *_ in walk(content, oid_bytes):
        fields = _STAT.unpack_from(content, offset)
        if fields[2] >= now and stat.S_IFMT(fields[6]) in _KINDS:
            yield _Entry(offset, path, fields)


def _made_older(path: bytes, entry: _Entry, second: int) -> os.stat_result | None:
    """Set the file's time back into `second`; None if it is not just as git has left it."""
    try:
        found = os.lstat(path)
        if (*_times(found), found.st_ino & 0xFFFFFFFF, found.st_size & 0xFFFFFFFF) != (
            *entry.stat[:4],
            entry.stat[5],
            entry.stat[9],
        ):
            return None
        times = (found.st_atime_ns, second * _SECOND + found.st_mtime_ns % _SECOND)
        os.utime(path, ns=times, follow_symlinks=False)
        return os.lstat(path)
    except OSError:
        return None


def _times(found: os.stat_result) -> tuple[int, int, int, int]:
    return (*divmod(found.st_ctime_ns, _SECOND), *divmod(found.st_mtime_ns, _SECOND))


def _seal(content: bytearray, oid_bytes: int) -> None:
    """The hash at the end; `index.skipHash` leaves zeros there, which stay."""
    if any(content[-oid_bytes:]):
        make = hashlib.sha1 if oid_bytes == 20 else hashlib.sha256
        content[-oid_bytes:] = make(memoryview(content)[:-oid_bytes], usedforsecurity=False).digest()
