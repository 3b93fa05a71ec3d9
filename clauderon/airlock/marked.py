"""Entries of an index that git takes as unchanged without looking: `assume-unchanged` and `skip-worktree`.

Reads an index's bytes (gitformat-index(5), versions 2 to 4); starts no process. An index that is damaged has none.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

_ASSUME_UNCHANGED = 0x8000
_EXTENDED = 0x4000
_SKIP_WORKTREE = 0x4000  # among the extended flags
_STAT_BYTES = 40  # times, device, inode, mode, owner and size come before the object's name
_MODE_AT = 24
_TREE = b"TREE"


class Marked(NamedTuple):
    """mode: as the index has it, 0o160000 for a submodule, 0o040000 for a directory of a sparse index."""

    path: bytes
    mode: int
    assumed: bool
    skipped: bool


def marked(index: bytes, oid_bytes: int) -> list[Marked]:
    """The entries with one of the marks."""
    try:
        return _marked(index, oid_bytes)
    except (struct.error, ValueError, IndexError):
        return []


def _marked(index: bytes, oid_bytes: int) -> list[Marked]:
    found = []
    for offset, path, flags, extended in walk(index, oid_bytes):
        assumed, skipped = bool(flags & _ASSUME_UNCHANGED), bool(extended & _SKIP_WORKTREE)
        if assumed or skipped:
            (mode,) = struct.unpack_from(">L", index, offset + _MODE_AT)
            found.append(Marked(path, mode, assumed, skipped))
    return found


def whole_tree(index: bytes, oid_bytes: int) -> str:
    """The tree that the index as a whole is, as git noted it there; "" where it did not.

    git notes it where nothing is staged beside a tree, and takes the note back with the first entry that changes.
    """
    try:
        signature, _version, count = struct.unpack_from(">4sLL", index)
        end = len(index) - oid_bytes
        start = index.rfind(_TREE, 0, end)
        # The name alone may be a directory's; the extension is what ends where the next one begins, or the checksum.
        while start >= 0 and not (index.startswith(b"\0", start + 8) and _leads_to(index, start, end)):
            start = index.rfind(_TREE, 0, start)
        if signature != b"DIRC" or start < 0:
            return ""
        # The top comes first: an empty name, the number of entries, the number of directories, the tree.
        name_at = index.index(b"\n", start) + 1
        entries = int(index[start + 9 : name_at].split(b" ")[0])
        return index[name_at : name_at + oid_bytes].hex() if entries == count else ""
    except (struct.error, ValueError, IndexError):
        return ""


def _leads_to(index: bytes, start: int, end: int) -> bool:
    """Whether extensions from `start` on, one after the other, end at `end`."""
    while start < end:
        start += 8 + int(struct.unpack_from(">L", index, start + 4)[0])
    return start == end


def walk(index: bytes, oid_bytes: int) -> Iterator[tuple[int, bytes, int, int]]:
    """Where each entry begins, its path, its flags and its extended flags; none for a version that is not known.

    Raises struct.error, ValueError or IndexError for a damaged index.
    """
    signature, version, count = struct.unpack_from(">4sLL", index)
    if signature != b"DIRC" or version not in (2, 3, 4):
        return
    offset, previous = 12, b""
    flags_of = struct.Struct(">H").unpack_from
    for _ in range(count):
        flags_at = offset + _STAT_BYTES + oid_bytes
        (flags,) = flags_of(index, flags_at)
        extended = flags_of(index, flags_at + 2)[0] if flags & _EXTENDED else 0
        name_at = flags_at + (4 if flags & _EXTENDED else 2)
        if version == 4:
            stripped, name_at = _varint(index, name_at)
            end = index.index(b"\0", name_at)
            previous = previous[: len(previous) - stripped] + index[name_at:end]
            following = end + 1
        else:
            end = index.index(b"\0", name_at)
            # Padded with one to eight NULs to a multiple of eight.
            following = offset + ((end - offset + 8) & ~7)
        yield offset, previous if version == 4 else index[name_at:end], flags, extended
        offset = following


def _varint(data: bytes, offset: int) -> tuple[int, int]:
    """git's own encoding of lengths: seven bits a byte, one added for each that follows."""
    byte = data[offset]
    value = byte & 0x7F
    while byte & 0x80:
        offset += 1
        byte = data[offset]
        value = ((value + 1) << 7) | (byte & 0x7F)
    return value, offset + 1
