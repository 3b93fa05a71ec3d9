"""Files and directories below a root that a container writes to as well: nothing here follows a link of its making.

Each directory is opened from the one above it without following links, so a path cannot be led out of the root,
whatever was put in its way. What is in the way is moved aside under another name, never removed.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from clauderon.files import draft_name

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Tree(NamedTuple):
    """A tree to write to.

    root:   a directory whose own path is ours alone; it is made if it is missing.
    owner:  (uid, gid) to give everything made to, or None to keep it.
    shared: everybody may write what is made; for a container under another uid when we are not root.
    """

    root: Path
    owner: tuple[int, int] | None = None
    shared: bool = False

    def directory(self, relative: str = "") -> None:
        """Make a directory, and those above it."""
        with self._opened(relative):
            pass

    def write(self, relative: str, data: bytes, mode: int = 0o644) -> None:
        """Replace a file by rename: whoever reads the old one goes on reading the old one."""
        path = PurePosixPath(relative)
        with self._opened(str(path.parent)) as parent:
            draft = draft_name(parent, path.name)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with open(os.open(draft, flags, mode, dir_fd=parent), "wb") as file:
                file.write(data)
                os.fchmod(file.fileno(), 0o666 if self._opens() else mode)  # whatever the umask was
                if self.owner is not None:
                    os.fchown(file.fileno(), *self.owner)
            try:
                os.replace(draft, path.name, src_dir_fd=parent, dst_dir_fd=parent)
            except IsADirectoryError:
                _set_aside(parent, path.name)
                os.replace(draft, path.name, src_dir_fd=parent, dst_dir_fd=parent)

    def link(self, relative: str, target: str) -> None:
        """Make a symlink unless something of that name is there."""
        path = PurePosixPath(relative)
        with self._opened(str(path.parent)) as parent:
            self._link(parent, path.name, target)

    def links(self, relative: str, targets: Mapping[str, str | None], below: str) -> None:
        """Make a directory's symlinks what `targets` says, None for no link; what is no link of ours stays.

        below: a link is ours if it leads to somewhere below this path.
        """
        if not any(targets.values()) and not os.path.lexists(self.root / relative):
            return
        with self._opened(relative) as directory:
            for name, target in targets.items():
                there = _link_at(directory, name)
                if there == target:
                    continue
                if there is not None and there.startswith(below):
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(name, dir_fd=directory)
                if target is not None:
                    self._link(directory, name, target)

    def unlink(self, relative: str) -> None:
        """Remove a symlink; anything else of that name stays."""
        path = PurePosixPath(relative)
        if not os.path.lexists(self.root / path.parent):
            return
        with self._opened(str(path.parent)) as parent:
            if _link_at(parent, path.name) is not None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path.name, dir_fd=parent)

    def set_aside(self, relative: str) -> None:
        """Rename what has that name to one that nobody uses."""
        path = PurePosixPath(relative)
        with self._opened(str(path.parent)) as parent:
            _set_aside(parent, path.name)

    def _link(self, parent: int, name: str, target: str) -> None:
        with contextlib.suppress(FileExistsError):
            os.symlink(target, name, dir_fd=parent)
            if self.owner is not None:
                os.chown(name, *self.owner, dir_fd=parent, follow_symlinks=False)

    def _opens(self) -> bool:
        return self.shared and self.owner is None

    @contextlib.contextmanager
    def _opened(self, relative: str) -> Iterator[int]:
        """A descriptor of the directory, made with those above it if they are missing."""
        self.root.mkdir(parents=True, exist_ok=True)
        current = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._hand_over(current)
            for part in PurePosixPath(relative).parts:
                following = self._step(current, part)
                os.close(current)
                current = following
            yield current
        finally:
            os.close(current)

    def _step(self, parent: int, name: str) -> int:
        while True:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o755, dir_fd=parent)
            try:
                found = os.open(name, _DIRECTORY, dir_fd=parent)
            except FileNotFoundError:
                continue
            except (
                OSError
            ):  # ENOTDIR for a file or a link (ELOOP on other systems): not ours, but maybe somebody's
                _set_aside(parent, name)
                continue
            self._hand_over(found)
            return found

    def _hand_over(self, directory: int) -> None:
        if self.owner is not None:
            os.fchown(directory, *self.owner)
        elif self.shared and os.fstat(directory).st_uid == os.geteuid():
            os.fchmod(directory, 0o777)


def read(root: Path, relative: str, limit: int) -> bytes | None:
    """A regular file's content, or None if there is none, or a link, a pipe, or more than `limit` bytes there."""
    file = opened(root, relative)
    if file is None:
        return None
    with file:
        # Not read to be thrown away: a thousand files of holes would cost their maker nothing.
        if os.fstat(file.fileno()).st_size > limit:
            return None
        data = file.read(limit + 1)
        return data if len(data) <= limit else None


def opened(root: Path, relative: str) -> BinaryIO | None:
    """A regular file for reading; None if there is none, or a link or a pipe there or on the way."""
    path = PurePosixPath(relative)
    try:
        current = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        for part in path.parts[:-1]:
            following = os.open(part, _DIRECTORY, dir_fd=current)
            os.close(current)
            current = following
        # Without O_NONBLOCK a named pipe would hold us here for ever.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        file = open(os.open(path.name, flags, dir_fd=current), "rb")  # noqa: SIM115 - the caller closes it
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return file
        file.close()
        return None
    except OSError:
        return None
    finally:
        os.close(current)


def _link_at(parent: int, name: str) -> str | None:
    """What the symlink of that name leads to; None if there is none."""
    try:
        return os.readlink(name, dir_fd=parent)
    except OSError:
        return None


def _set_aside(parent: int, name: str) -> None:
    number = 0
    while True:
        number += 1
        try:
            os.stat(f"{name}.set-aside-{number}", dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            os.rename(name, f"{name}.set-aside-{number}", src_dir_fd=parent, dst_dir_fd=parent)
            return
