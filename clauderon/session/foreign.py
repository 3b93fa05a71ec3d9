"""Whether a directory is one that a container writes to: there, git's configuration is the agent's to choose.

Looks at paths alone; no git may run before this has been asked.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from clauderon import confined
from clauderon.airlock.layout import LOCK_MARK_ANY
from clauderon.errors import Refused
from clauderon.session.context import Context

FLAG = "--untrusted-repo"


def refuse_foreign(context: Context, place: Path) -> None:
    """Raise Refused for a directory below the state directory (worktrees, homes, uploads, rescued ones: agents wrote
    there), below another home's worktree, or whose `.git` leads to such a place."""
    if is_foreign(place, _homes(context)):
        session = next(
            (row for row in context.store.all() if _is_in(place, context.home.worktree(row.name))), None
        )
        hint = f"clauderon create --repo '{session.repo}'" if session else "clauderon create --repo DIRECTORY"
        if session:
            hint += f" --base {session.branch}"
        raise Refused(
            f"repository {ascii(str(place))[1:-1]}",
            "an agent can write there, so git on this machine might run what the agent chose",
            hint=f"{hint}   # or {FLAG}, if you have looked at its git configuration",
        )


def _homes(context: Context) -> list[Path]:
    found = [context.home.root]
    if context.environ.get("HOME"):
        found.append(Path(context.environ["HOME"]) / ".clauderon")
    return found


def is_foreign(place: Path, homes: list[Path]) -> bool:
    """Whether `place` is in one of the state directories, by whatever path, or belongs to a session's worktree."""
    directories = {_identity(home) for home in homes} - {None}
    for where in (place, *_git_dirs(place)):
        above = Path(os.path.realpath(where))
        if any(_identity(directory) in directories for directory in (above, *above.parents)):
            return True
    return any(_is_sessions(git_dir) for git_dir in _git_dirs(place))


def _git_dirs(place: Path) -> Iterator[Path]:
    """What the `.git` files on the way up name, and what these name in turn."""
    real = Path(os.path.realpath(place))
    for directory in (real, *real.parents):
        if (directory / ".git").is_dir():
            yield directory / ".git"
        pointer = _line(directory / ".git")
        if pointer.startswith("gitdir:"):
            git_dir = directory / pointer.removeprefix("gitdir:").strip()
            yield git_dir
            common = _line(git_dir / "commondir")
            if common:
                yield git_dir / common


def _is_sessions(git_dir: Path) -> bool:
    """Whether this is the entry of a session's worktree, of whichever home."""
    return _line(git_dir / "locked").startswith(LOCK_MARK_ANY)


def _line(path: Path) -> str:
    """The first line of a small regular file, or nothing."""
    content = confined.read(path.parent, path.name, 8192)
    return "" if content is None else os.fsdecode(content).partition("\n")[0]


def _identity(path: Path) -> tuple[int, int] | None:
    """A directory by its device and inode: a bind mount has another path."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_in(place: Path, worktree: Path) -> bool:
    real = Path(os.path.realpath(place))
    return Path(os.path.realpath(worktree)) in (real, *real.parents)
