"""Looking at a worktree that a container writes: what is planted in it, and a file's content without following links.

Reads only, starts no process. Names and contents are the container's.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from clauderon.airlock.gitlike import is_dotgit, is_ordinary, makes_repository
from clauderon.airlock.private_refs import names_in, open_dir, open_regular, opened, read_file
from clauderon.airlock.removal import make_enterable

_ENTRIES = 5_000_000
_DEPTH = 4096


def planted(worktree: Path, admin: Path | None) -> tuple[str, ...]:
    """Paths of `.git` entries and of bare repositories in the worktree that git on the host did not put there,
    relative, sorted.

    A git run by hand below such a place reads a configuration of the container's making.
    """
    found = [] if _is_ours(worktree / ".git", admin) else [".git"]
    waiting = [""]
    seen = 0
    while waiting and seen < _ENTRIES:
        relative = waiting.pop()
        try:
            with os.scandir(worktree / relative) as entries:
                here = []
                for entry in entries:
                    seen += 1
                    name = entry.name
                    wanted = not is_ordinary(name)
                    if wanted and is_dotgit(name):
                        if relative or name != ".git":
                            found.append(f"{relative}/{name}" if relative else name)
                        continue
                    is_directory = entry.is_dir(follow_symlinks=False)
                    if wanted:
                        here.append((name, is_directory))
                    if is_directory:
                        waiting.append(f"{relative}/{name}" if relative else name)
            if makes_repository(here):
                found.append(relative or ".")
        except OSError:
            # Gone meanwhile, closed to us, or deeper than a path can say: git on the host gets there no better.
            continue
    return tuple(sorted(found))


def _is_ours(gitfile: Path, admin: Path | None) -> bool:
    if admin is None:
        return not os.path.lexists(gitfile)
    top = open_dir(gitfile.parent)
    try:
        content = read_file(top, (gitfile.name,), 8192)
    finally:
        os.close(top)
    if content is None or not content.startswith(b"gitdir: "):
        return not os.path.lexists(gitfile)
    return os.path.realpath(gitfile.parent / os.fsdecode(content[8:].rstrip(b"\n"))) == os.path.realpath(
        admin
    )


class Found(NamedTuple):
    """What is at a path: mode as git has it (0o100644, 0o100755, 0o120000), and an open file or a link's text.

    A mode of 0 is a file that is closed to us.
    """

    mode: int
    descriptor: int | None = None
    link: bytes = b""


def look(root: int, path: bytes, *, insist: bool = False) -> Found | None:
    """What is at `path` below the directory `root`; None for nothing, or for what git does not keep.

    insist: give ourselves a file that its maker closed.
    """
    parts = os.fsdecode(path).split("/")
    if any(part in ("", ".", "..") for part in parts):
        return None
    with opened(root, tuple(parts[:-1])) as directory:
        if directory is None:
            return None
        try:
            mode = os.stat(parts[-1], dir_fd=directory, follow_symlinks=False).st_mode
            if stat.S_ISLNK(mode):
                return Found(0o120000, link=os.fsencode(os.readlink(parts[-1], dir_fd=directory)))
        except (OSError, ValueError):
            return None
        descriptor = open_regular(directory, parts[-1])
        if descriptor is None and stat.S_ISREG(mode):
            if insist:
                make_enterable(parts[-1], directory)
                descriptor = open_regular(directory, parts[-1])
            if descriptor is None and _exists(directory, parts[-1]):
                return Found(0)
    if descriptor is None:
        return None
    executable = os.fstat(descriptor).st_mode & stat.S_IXUSR
    return Found(0o100755 if executable else 0o100644, descriptor)


def _exists(directory: int, name: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
    except OSError:
        return False


def open_up(top: Path, *, files: bool = False) -> list[str]:
    """Give ourselves every directory that its maker closed, before it is passed over; returns what stays closed.

    For a place that no container writes any more. files: the regular files as well.
    """
    closed: list[str] = []
    parent = open_dir(top.parent)
    try:
        make_enterable(top.name, parent)
    finally:
        os.close(parent)
    try:
        root = open_dir(top)
    except FileNotFoundError:
        return []
    except OSError:
        return ["."]
    try:
        waiting: list[tuple[str, ...]] = [()]
        while waiting:
            parts = waiting.pop()
            with opened(root, parts) as directory:
                if directory is None:
                    closed.append("/".join(parts))
                    continue
                with os.scandir(directory) as entries:
                    inner = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
                for name, is_directory in inner:
                    if is_directory:
                        make_enterable(name, directory)
                        waiting.append((*parts, name))
                    elif files:
                        make_enterable(name, directory)
    finally:
        os.close(root)
    return closed


def files_below(root: int, path: bytes) -> Iterator[bytes]:
    """Every file and link below the directory `path`, as paths from `root`; for a nested repository, which git
    does not look into."""
    waiting = [tuple(os.fsdecode(path).rstrip("/").split("/"))]
    while waiting:
        parts = waiting.pop()
        with opened(root, parts) as directory:
            if directory is None or len(parts) > _DEPTH:
                continue
            for name in names_in(directory):
                try:
                    mode = os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode
                except OSError:
                    continue
                if stat.S_ISDIR(mode):
                    waiting.append((*parts, name))
                elif stat.S_ISREG(mode) or stat.S_ISLNK(mode):
                    yield os.fsencode("/".join((*parts, name)))


def storable(path: bytes) -> bytes:
    """`path` as git can hold it: a component it refuses (`.git` in any spelling) gets `.rescued` at its end.

    So does `HEAD` below such a one: without it a directory is no repository, whatever git is run in it.
    """
    found, below = list[str](), False
    for part in os.fsdecode(path).split("/"):
        found.append(f"{part}.rescued" if is_dotgit(part) or (below and part.lower() == "head") else part)
        below |= is_dotgit(part)
    return os.fsencode("/".join(found))
