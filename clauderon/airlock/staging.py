"""Copies of the worktree's changed files, in a directory that no container writes: there git makes blobs of them.

A blob is then what `git add` would make of the file: line endings, `$Id$` and encodings are converted by git itself, as
the attributes say. The user's filters are switched off by the caller; no program is ever run.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from clauderon.airlock.removal import remove_tree
from clauderon.airlock.tree import Found, look

_CHUNK = 1 << 20
_ATTRIBUTES = b".gitattributes"
# git itself reads no larger one.
_ATTRIBUTES_BYTES = 100 << 20
# Longer paths cannot be opened by name below a directory of ours (PATH_MAX is 4096).
_PATH_BYTES = 3000
# So many files that git cannot convert are looked for one by one; the others among them are then kept as they are.
_MOST_REFUSED = 20


class Staging:
    """The directory, while it lasts. file_bytes, total_bytes: larger files are not taken."""

    def __init__(self, top: Path, *, file_bytes: int, total_bytes: int) -> None:
        self.top = top
        self._file_bytes = file_bytes
        self._left = total_bytes
        self._attributes_of: set[bytes] = set()
        self.paths: list[bytes] = []
        remove_tree(top)
        top.mkdir(parents=True)

    def close(self) -> None:
        """Remove the staging directory."""
        remove_tree(self.top)

    def add(self, root: int, path: bytes, found: Found) -> bool | None:
        """Copy an open file to `path`, and the attributes that hold there. None for a path that no name can lead to,
        False for a file that is too large or does not hold still."""
        if len(path) > _PATH_BYTES:
            return None
        if path in self._attributes_of and os.path.lexists(self.top / os.fsdecode(path)):
            self.paths.append(path)
            return True
        try:
            taken = self._copy(path, found, self._file_bytes)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            return None  # in another's place: it changed while we looked
        if taken:
            self.paths.append(path)
            self._take_attributes(root, path)
        return taken

    def _copy(self, path: bytes, found: Found, most: int) -> bool:
        if found.descriptor is None:
            return False
        target = self.top / os.fsdecode(path)
        with open(found.descriptor, "rb", closefd=False) as file:
            for _ in range(3):
                size = os.fstat(file.fileno()).st_size
                if size > min(most, self._left):
                    return False
                target.parent.mkdir(parents=True, exist_ok=True)
                file.seek(0)
                with open(target, "xb") as copy:
                    copied = 0
                    while copied < size and (chunk := file.read(min(_CHUNK, size - copied))):
                        copied += copy.write(chunk)
                if copied == size:
                    target.chmod(found.mode & 0o777)
                    self._left -= size
                    return True
                target.unlink()
        return False

    def _take_attributes(self, root: int, path: bytes) -> None:
        """The worktree's attribute files above `path`, ignored ones too; where there is none git takes the index's."""
        parts = path.split(b"/")[:-1]
        for count in range(len(parts) + 1):
            name = b"/".join([*parts[:count], _ATTRIBUTES])
            if name in self._attributes_of:
                continue
            self._attributes_of.add(name)
            found = look(root, name)
            if found is None or found.descriptor is None:
                continue
            try:
                with contextlib.suppress(FileExistsError):
                    self._copy(name, found, _ATTRIBUTES_BYTES)
            finally:
                os.close(found.descriptor)

    def converted(self, add: Callable[[Iterable[bytes]], bool]) -> list[bytes]:
        """Have `add` make blobs of the copies, all at once if it can; returns the paths that it refuses.

        add: whether git took these paths, all of them.
        """
        refused: list[bytes] = []
        waiting = [self.paths] if self.paths else []
        while waiting:
            paths = waiting.pop()
            if len(refused) >= _MOST_REFUSED:
                refused += paths
            elif not add(paths):
                if len(paths) == 1:
                    refused += paths
                else:
                    half = len(paths) // 2
                    waiting += [paths[half:], paths[:half]]
        return refused
