"""Write and remove a secret that lies in a file of `secrets/`; `in_file` reads it. Prints nothing of it."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

from clauderon import files
from clauderon.paths import Home


def write(home: Home, name: str, text: str) -> None:
    """Put the file in place whole, for its owner alone. Raises OSError; then what was there still is.

    A link, a pipe or a directory of that name is somebody's own doing: refused, not replaced.
    """
    path = home.secrets / name
    _make_private(home.secrets)
    _refuse_others(path)
    draft = home.secrets / files.draft_name(home.secrets, name)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with open(os.open(draft, flags, 0o600), "wb") as file:
            file.write(f"{text}\n".encode())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
    _sync(home.secrets)


def remove(home: Home, name: str) -> bool:
    """Remove the file, or the link that is in its place; whether there was one. Raises OSError."""
    try:
        (home.secrets / name).unlink()
    except FileNotFoundError:
        return False
    _sync(home.secrets)
    return True


def _make_private(directory: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = directory.stat()
    if status.st_uid != os.geteuid():
        raise OSError(errno.EPERM, "it belongs to another user", str(directory))
    if status.st_mode & 0o077:
        directory.chmod(0o700)


def _refuse_others(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        what = "a link" if stat.S_ISLNK(mode) else "no file"
        raise OSError(errno.EINVAL, f"there is {what} of this name; remove it first", str(path))


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
