"""Files of a worktree as blobs, to the byte: what git is not to convert, or cannot.

Writes loose objects below a directory of ours, without git.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterable
from pathlib import Path

from clauderon.airlock.tree import Found

_CHUNK = 1 << 20


class Writer:
    """Writes blobs as loose objects."""

    def __init__(self, objects: Path, *, sha256: bool, total_bytes: int) -> None:
        self._objects = objects
        self._sha256 = sha256
        self._left = total_bytes

    def blob(self, found: Found, file_bytes: int) -> str | None:
        """Store a file or a link; None when it is too large or does not hold still."""
        if found.descriptor is None:
            return self._store((found.link,), len(found.link))
        with open(found.descriptor, "rb") as file:
            for _ in range(3):
                size = os.fstat(file.fileno()).st_size
                if size > min(file_bytes, self._left):
                    return None
                file.seek(0)
                oid = self._store(iter(lambda: file.read(_CHUNK), b""), size)
                if oid is not None:
                    self._left -= size
                    return oid
        return None

    def _store(self, chunks: Iterable[bytes], size: int) -> str | None:
        """Store exactly `size` bytes; None when the chunks hold fewer."""
        digest = hashlib.sha256() if self._sha256 else hashlib.sha1(usedforsecurity=False)
        deflate = zlib.compressobj(1)
        partial = self._objects / "tmp_blob"
        left = size
        with open(partial, "wb") as file:
            header = b"blob %d\0" % size
            digest.update(header)
            file.write(deflate.compress(header))
            for chunk in chunks:
                piece = chunk[:left]
                left -= len(piece)
                digest.update(piece)
                file.write(deflate.compress(piece))
                if not left:
                    break
            file.write(deflate.flush())
        if left:
            partial.unlink()
            return None
        oid = digest.hexdigest()
        target = self._objects / oid[:2] / oid[2:]
        target.parent.mkdir(exist_ok=True)
        partial.replace(target)
        return oid
