"""Reads small files of ours and of the person's: only regular ones, without waiting, and never more than expected.

A pipe, a device or a terminal in the place of a file would hold the reader up for ever, and an endless file would fill
the memory. Files that a container writes to are `confined`'s: here links are followed. Whoever puts a file in place
whole asks here for its draft's name.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from itertools import islice

# More than any file of ours or a person's needs: configuration, certificates, records, prompts.
MOST_BYTES = 64 << 20
# A container may have filled the directory. Entries beyond this many are left for another time.
_MOST_ENTRIES = 1000
_SCRATCH = ".clauderon-"
_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read(path: str | os.PathLike[str], most: int = MOST_BYTES) -> bytes:
    """The content of a regular file, at once.

    Raises OSError: FileNotFoundError where nothing has that name, ELOOP's kin for a link that leads nowhere, EINVAL for
    what is no regular file, EFBIG for one of more than `most` bytes.
    """
    name = os.fspath(path)
    try:
        # O_NONBLOCK: opening a pipe waits for its writer; a terminal must not become ours (O_NOCTTY).
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError:
        if os.path.islink(name):  # noqa: PTH114 - pathlib would be imported for this
            raise OSError(errno.EINVAL, "it is a link to a file that does not exist", name) from None
        raise
    except OSError as error:
        if error.errno == errno.ENXIO:  # what opening a socket says
            raise OSError(errno.EINVAL, "it is a socket, not a file", name) from None
        raise
    try:
        kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
        if kind == stat.S_IFDIR:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
        if kind != stat.S_IFREG:
            raise OSError(errno.EINVAL, f"it is {_KINDS.get(kind, 'something else')}, not a file", name)
        # /proc and the like have a size of 0 and content; so what is read is what is counted.
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(most + 1)
    finally:
        os.close(descriptor)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"it has more than {most} bytes", name)
    return data


def text(path: str | os.PathLike[str], errors: str = "strict") -> str:
    """The same as UTF-8 text, a byte-order mark left out. Raises UnicodeDecodeError too."""
    return read(path).decode("utf-8-sig", errors)


def draft_name(directory: int | str | os.PathLike[str], name: str) -> str:
    """A name beside `name`, free now and of this process alone, for a draft that is renamed to it when it is whole.

    Removes the drafts of it that killed processes left. directory: a path, or a descriptor.
    """
    own = f".{name}.{os.getpid()}"
    sweep_drafts(directory, lambda named: named == name)
    _unlink(directory, own)
    return own


def sweep_drafts(directory: int | str | os.PathLike[str], is_wanted: Callable[[str], bool] = bool) -> None:
    """Remove the drafts that killed processes left in `directory`. is_wanted: asked with the name each one was for."""
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for entry in islice(entries, _MOST_ENTRIES):
            start, _, number = entry.name.rpartition(".")
            if start[:1] == "." and is_wanted(start[1:]) and is_gone(number):
                _unlink(directory, entry.name)


def _unlink(directory: int | str | os.PathLike[str], name: str) -> None:
    # A directory of that name is none of ours.
    with contextlib.suppress(FileNotFoundError, IsADirectoryError, PermissionError):
        if isinstance(directory, int):
            os.unlink(name, dir_fd=directory)
        else:
            os.unlink(f"{os.fspath(directory)}/{name}")  # noqa: PTH108 - as above


def temporary() -> str:
    """Where temporary files are. `tempfile` would find out by writing one."""
    asked = os.environ.get("TMPDIR", "")
    return asked if os.path.isabs(asked) and os.path.isdir(asked) else "/tmp"  # noqa: PTH112, PTH117


@contextlib.contextmanager
def scratch(name: str, directory: str | os.PathLike[str] | None = None) -> Iterator[str]:
    """A directory of this process alone, removed in the end; and those of its kind that killed processes left.

    directory: where; by default where temporary files are, which `sweep_scratch` looks through too.
    """
    import tempfile

    place = os.fspath(directory or temporary())
    start = f"{_SCRATCH}{name}-"
    sweep_scratch(place, start)
    with tempfile.TemporaryDirectory(prefix=f"{start}{os.getpid()}-", dir=place) as made:
        yield made


def sweep_scratch(directory: str | os.PathLike[str], start: str = _SCRATCH) -> None:
    """Remove the scratch directories of killed processes, whose names begin with `start`."""
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for entry in islice(entries, _MOST_ENTRIES):
            if not entry.name.startswith(start) or not is_gone(
                entry.name.rpartition("-")[0].rpartition("-")[2]
            ):
                continue
            if entry.is_dir(follow_symlinks=False) and entry.stat().st_uid == os.geteuid():
                import shutil

                shutil.rmtree(entry.path, ignore_errors=True)


def is_gone(number: str) -> bool:
    """Whether it is the number of a process, and no process has it."""
    if not (number.isascii() and number.isdecimal() and len(number) < 10 and int(number) > 0):
        return False
    try:
        os.kill(int(number), 0)
    except OSError as error:
        return error.errno == errno.ESRCH
    return False
