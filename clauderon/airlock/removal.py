"""Removing a tree that a container has written: never following a link, however deep it is nested.

Removes only what is below the directory it is given, by descriptors; the directory's parents must be ours.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from pathlib import Path

from clauderon.airlock.private_refs import names_in
from clauderon.errors import BackendError

_WRITERS_S = 5.0
_PAUSE_S = 0.05
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PATH_ONLY = getattr(os, "O_PATH", os.O_RDONLY) | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(top: Path) -> None:
    """Remove `top` and everything below; no error if it is not there, a link or file in its place is unlinked.

    Raises BackendError when something belongs to another user, and when something is still being written there after a
    while: a git whose caller was killed goes on.
    """
    try:
        _remove_from_writers(top)
    except PermissionError as error:
        raise BackendError(
            f"remove {top}",
            "it contains files of another user, which the container made",
            hint=f"sudo rm -rf '{top}'",
        ) from error
    except OSError as error:
        raise BackendError(f"remove {top}", error.strerror or str(error), hint=f"rm -rf '{top}'") from error


def _remove_from_writers(top: Path) -> None:
    until = time.monotonic() + _WRITERS_S
    while True:
        try:
            return _remove(top)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or time.monotonic() > until:
                raise
        time.sleep(_PAUSE_S)


def _remove(top: Path) -> None:
    try:
        is_directory = stat.S_ISDIR(top.lstat().st_mode)
    except FileNotFoundError:
        return
    if not is_directory:
        top.unlink()
        return
    parent = os.open(top.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        make_enterable(top.name, parent)
        root = os.open(top.name, _DIRECTORY, dir_fd=parent)
    finally:
        os.close(parent)
    try:
        # Every directory found is first moved up to the top, so that no depth of nesting needs a path, a stack or
        # a descriptor for each level. A rename moves a link as a link.
        number = 0
        while names := names_in(root):
            for name in names:
                number = _clear(root, name, number)
    finally:
        os.close(root)
    top.rmdir()


def _clear(root: int, name: str, number: int) -> int:
    """Remove one entry of the top; the directories it holds become entries of the top themselves."""
    if _unlink(name, root) or _rmdir(name, root):
        return number
    make_enterable(name, root)
    directory = os.open(name, _DIRECTORY, dir_fd=root)
    try:
        for inner in names_in(directory):
            if _unlink(inner, directory) or _rmdir(inner, directory):
                continue
            make_enterable(inner, directory)
            number = _lift(directory, inner, root, number + 1)
    finally:
        os.close(directory)
    os.rmdir(name, dir_fd=root)
    return number


def _lift(directory: int, name: str, root: int, number: int) -> int:
    """Move a directory up to the top under a free name; returns the number in it."""
    while True:
        try:
            os.rename(name, f".clauderon-{number:x}", src_dir_fd=directory, dst_dir_fd=root)
            return number
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                raise
            number += 1


def _unlink(name: str, directory: int) -> bool:
    """Whether `name` was something else than a directory, and is gone now."""
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        return True
    except (IsADirectoryError, PermissionError) as error:
        # POSIX answers EPERM for a directory, Linux EISDIR; EPERM may also be a real refusal.
        try:
            os.close(os.open(name, _PATH_ONLY | os.O_DIRECTORY, dir_fd=directory))
        except OSError:
            raise error from None
        return False
    return True


def _rmdir(name: str, directory: int) -> bool:
    """Whether `name` was an empty directory, and is gone: another user's too, which can be neither read nor moved."""
    try:
        os.rmdir(name, dir_fd=directory)
    except OSError:
        return False
    return True


def make_enterable(name: str, directory: int) -> None:
    """Give ourselves a directory or file that its maker closed (a Go module cache is read-only, a vault may be 0)."""
    with contextlib.suppress(OSError):
        if os.chmod in os.supports_follow_symlinks:
            mode = stat.S_IMODE(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
            os.chmod(name, mode | 0o700, dir_fd=directory, follow_symlinks=False)
            return
        descriptor = os.open(name, _PATH_ONLY, dir_fd=directory)
        try:
            found = os.fstat(descriptor).st_mode
            mode, wanted = stat.S_IMODE(found), 0o700 if stat.S_ISDIR(found) else 0o400
            if mode & wanted != wanted and not stat.S_ISLNK(found):
                # By the descriptor: the name may be a link by now. A file keeps whether it is executable.
                os.chmod(f"/proc/self/fd/{descriptor}", mode | wanted)  # noqa: PTH101 - a descriptor
        finally:
            os.close(descriptor)
