"""Copying a pack while reading what it would inflate to: the sizes are in the headers of its entries.

Nothing of the content is kept, and no delta is followed: a delta says in its first bytes what it makes. Knows the
format only; how much is too much is the caller's to say, by raising from `made`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

_CHUNK = 1 << 20
# zlib gets small pieces: it copies what is left over behind an entry.
_PIECE = 1 << 16
_DELTA_HEADER = 20
_OFS_DELTA, _REF_DELTA = 6, 7
_KINDS = (1, 2, 3, 4, _OFS_DELTA, _REF_DELTA)
_MAGIC = b"PACK"
# git makes no delta of a file beyond `core.bigFileThreshold`, 512 MiB by default.
LARGEST_DELTA = 512 << 20


class DamagedPack(Exception):
    """It is no pack, or not one that git would write; the message says why, in words of ours alone."""


def copy_pack(
    read: Callable[[int], bytes],
    size: int,
    write: Callable[[bytes], object],
    *,
    made: Callable[[int], None],
    digest_bytes: int,
    most_objects: int,
) -> int:
    """Copy a pack of `size` bytes and return how many objects it claims. Raises DamagedPack at the first wrong byte.

    made: called with the bytes an entry inflates to, and for a delta with those it makes, before it is inflated
          or undone.
    """
    return _Copy(read, size, write, made).run(digest_bytes, most_objects)


class _Copy:
    def __init__(
        self,
        read: Callable[[int], bytes],
        size: int,
        write: Callable[[bytes], object],
        made: Callable[[int], None],
    ) -> None:
        self._source = read
        self._left = size
        self._write = write
        self._made = made
        self._buffer = b""
        self._at = 0

    def run(self, digest_bytes: int, most_objects: int) -> int:
        header = self._take(12)
        version, count = int.from_bytes(header[4:8]), int.from_bytes(header[8:12])
        if header[:4] != _MAGIC or version not in (2, 3):
            raise DamagedPack("it does not begin as a pack does")
        if count > most_objects:
            raise DamagedPack(f"it claims {count} objects")
        for _ in range(count):
            self._entry(digest_bytes)
        self._take(digest_bytes)
        if self._left or self._at < len(self._buffer):
            raise DamagedPack("it continues after its end")
        return count

    def _entry(self, digest_bytes: int) -> None:
        byte = self._byte()
        kind, size, shift = byte >> 4 & 7, byte & 15, 4
        while byte & 0x80:
            byte = self._byte()
            size |= (byte & 0x7F) << shift
            shift += 7
            if shift > 64:
                raise DamagedPack("an entry has no size")
        if kind not in _KINDS:
            raise DamagedPack("an entry is of no kind that git knows")
        if kind == _REF_DELTA:
            self._take(digest_bytes)
        elif kind == _OFS_DELTA:
            while self._byte() & 0x80:
                pass
        self._made(size)
        content = self._inflate(size, _DELTA_HEADER if kind in (_OFS_DELTA, _REF_DELTA) else 0)
        if kind in (_OFS_DELTA, _REF_DELTA):
            _, offset = _varint(content, 0)
            result, _ = _varint(content, offset)
            if result > LARGEST_DELTA:
                raise DamagedPack(f"a delta makes {result} bytes, and git makes none such")
            self._made(result)

    def _inflate(self, size: int, keep: int) -> bytes:
        """Pass over one zlib stream; its first `keep` bytes. Raises DamagedPack unless it holds exactly `size`."""
        inflate = zlib.decompressobj()
        produced, kept = 0, b""
        while not inflate.eof:
            if self._at == len(self._buffer):
                self._more()
            piece = self._buffer[self._at : self._at + min(_PIECE, size - produced + 64)]
            try:
                content = inflate.decompress(piece, _CHUNK)
            except zlib.error:
                raise DamagedPack("an entry cannot be inflated") from None
            self._at += len(piece) - len(inflate.unused_data) - len(inflate.unconsumed_tail)
            produced += len(content)
            if produced > size:
                raise DamagedPack("an entry is larger than it says")
            if len(kept) < keep:
                kept += content[: keep - len(kept)]
        if produced != size:
            raise DamagedPack("an entry is smaller than it says")
        return kept

    def _more(self) -> None:
        raw = self._source(min(_CHUNK, self._left)) if self._left else b""
        if not raw:
            raise DamagedPack("it ends early")
        self._left -= len(raw)
        self._write(raw)
        self._buffer, self._at = self._buffer[self._at :] + raw, 0

    def _take(self, count: int) -> bytes:
        while len(self._buffer) - self._at < count:
            self._more()
        self._at += count
        return self._buffer[self._at - count : self._at]

    def _byte(self) -> int:
        if self._at == len(self._buffer):
            self._more()
        self._at += 1
        return self._buffer[self._at - 1]


def _varint(content: bytes, offset: int) -> tuple[int, int]:
    value, shift = 0, 0
    for place in range(offset, len(content)):
        value |= (content[place] & 0x7F) << shift
        shift += 7
        if not content[place] & 0x80:
            return value, place + 1
    raise DamagedPack("a delta has no sizes")
