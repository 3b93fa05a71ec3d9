"""Copying a loose object while inflating it, to see whether its content has the name it goes by.

Nothing is kept in memory, and no more is inflated than the object's own header says there is.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Callable

_CHUNK = 1 << 20
_HEADER = re.compile(rb"(blob|tree|commit|tag) (0|[1-9][0-9]{0,18})\x00")
_HEADER_BYTES = 32


def copy_loose(
    read: Callable[[int], bytes],
    size: int,
    write: Callable[[bytes], object],
    oid: str,
    *,
    largest: Callable[[str, int], None],
    inflates: Callable[[int], None],
) -> bool:
    """Copy at most `size` bytes; whether they are the object `oid`.

    largest:  called with the kind and the size that the header says.
    inflates: called with the bytes that are about to be inflated. Both refuse by raising.
    """
    digest = hashlib.sha1(usedforsecurity=False) if len(oid) == 40 else hashlib.sha256()
    inflate = zlib.decompressobj()
    expected, produced, head = -1, 0, b""
    while size > 0 and not inflate.eof:
        raw = read(min(size, _CHUNK))
        if not raw:
            return False
        size -= len(raw)
        write(raw)
        while raw:
            try:
                content = inflate.decompress(raw, _HEADER_BYTES if expected < 0 else _CHUNK)
            except zlib.error:
                return False
            raw = inflate.unconsumed_tail
            digest.update(content)
            produced += len(content)
            if expected < 0:
                head += content
                header = _HEADER.match(head)
                if header is None:
                    if len(head) >= _HEADER_BYTES or inflate.eof:
                        return False
                    continue
                expected = len(header[0]) + int(header[2])
                largest(header[1].decode("ascii"), int(header[2]))
                inflates(expected)
            if produced > expected:
                return False
    whole = inflate.eof and not inflate.unused_data and size == 0 and produced == expected
    return whole and digest.hexdigest() == oid
