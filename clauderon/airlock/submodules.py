"""Where a session's submodules are: git directories below the private one, or in the worktree, all of them the
container's to write. Finds and opens them, by descriptors and without following links; runs nothing.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from clauderon import paths
from clauderon.airlock.private_refs import Inside, names_in, open_dir, opened, read_file
from clauderon.record import Session

MOST = 64
_VISITED = 5000
_DEPTH = 16
_GITFILE_BYTES = 8192


class Submodule(NamedTuple):
    """path: where its files are, relative to the worktree; None when they are not, or no longer, checked out.

    parts: its git directory below the private one, or below the worktree when `nested`.
    """

    label: str
    path: str | None
    parts: tuple[str, ...]
    nested: bool = False


class Found(NamedTuple):
    """truncated: there are more than are looked at."""

    submodules: tuple[Submodule, ...]
    truncated: bool = False


def find(home: paths.Home, session: Session, planted: Sequence[str], gitlinks: Collection[str]) -> Found:
    """Every submodule that has a git directory inside.

    planted:  as `tree.planted` found them. gitlinks: paths that a commit of the session has as submodules; only
              there a `.git` directory in the worktree is one, anywhere else its files are kept as files.
    """
    found: dict[tuple[str, ...], Submodule] = {}
    with contextlib.ExitStack() as stack:
        try:
            top = open_dir(home.worktree(session.name))
            stack.callback(os.close, top)
        except OSError:
            top = -1
        for entry in planted if top >= 0 else ():
            path, _, name = entry.rpartition("/")
            if name != ".git" or not path:
                continue
            parts = _pointed_to(top, path)
            if parts is not None:
                found[parts] = Submodule(path, path, parts)
            elif path in gitlinks:
                inside = ("worktree", *path.split("/"), ".git")
                found[inside] = Submodule(path, path, inside[1:], nested=True)
        modules, truncated = _modules(home, session)
        for parts in modules:
            label = "/".join(part for part in parts if part != "modules")
            found.setdefault(parts, Submodule(label, None, parts))
    return Found(tuple(found.values())[:MOST], truncated or len(found) > MOST)


def _pointed_to(top: int, path: str) -> tuple[str, ...] | None:
    """The parts below the private directory that a `.git` file names, as the container's git would read it."""
    content = read_file(top, (*path.split("/"), ".git"), _GITFILE_BYTES)
    if content is None or not content.startswith(b"gitdir: "):
        return None
    target = os.fsdecode(content[8:].rstrip(b"\r\n"))
    whole = posixpath.normpath(posixpath.join(paths.WORKSPACE, path, target))
    below = whole.removeprefix(f"{paths.CONTAINER_GIT}/modules/")
    return None if below == whole else ("modules", *below.split("/"))


def _modules(home: paths.Home, session: Session) -> tuple[list[tuple[str, ...]], bool]:
    """Git directories below `modules`, whose names may hold slashes and which may have submodules of their own."""
    found: list[tuple[str, ...]] = []
    visited = 0
    try:
        root = open_dir(home.git_dir(session.id))
    except OSError:
        return found, False
    try:
        waiting: list[tuple[str, ...]] = [("modules",)]
        while waiting:
            parts = waiting.pop()
            with opened(root, parts) as directory:
                names = set() if directory is None else set(names_in(directory, _VISITED))
            visited += 1
            if visited > _VISITED or len(found) > MOST or len(parts) > _DEPTH:
                return found, True
            if {"HEAD", "objects"} <= names and len(parts) > 1:
                found.append(parts)
                if "modules" in names:
                    waiting.append((*parts, "modules"))
            else:
                waiting += [(*parts, name) for name in sorted(names, reverse=True)]
    finally:
        os.close(root)
    return found, False


@contextlib.contextmanager
def opened_inside(
    home: paths.Home, session: Session, submodule: Submodule, oid_chars: int
) -> Iterator[Inside | None]:
    """A submodule's git directory, to be read as the session's own is; None when it is not there any more."""
    top = home.worktree(session.name) if submodule.nested else home.git_dir(session.id)
    try:
        root = open_dir(top)
    except OSError:
        yield None
        return
    try:
        with opened(root, submodule.parts) as directory:
            yield None if directory is None else Inside(directory, oid_chars)
    finally:
        os.close(root)
