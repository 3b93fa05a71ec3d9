"""What a session may find and hand on: what the locks of the commit it began from name by hash.

Read once, from the worktree as git checked it out, before the container starts. What the session writes into its
worktree afterwards names nothing. Most repositories have no lock, and `create` is not to pay for them: the parser is
imported where there is one.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from clauderon import confined
from clauderon.paths import Home

if TYPE_CHECKING:
    from clauderon.caching.lockfile import GitDependency, Named

_LOCK = "Cargo.lock"
_KEPT = re.compile(r"([0-9a-f]{12})\.(?:wanted\.json|scratch)")
_LOCK_BYTES = 16 << 20
# Of all locks together; a line costs a microsecond whatever it says, and `create` waits.
_ALL_LOCKS_BYTES = 32 << 20
_WANTED_BYTES = 64 << 20
_LOCKS = 64
# A look into two levels of directories costs about a millisecond; into a thousand of them, five.
_DIRECTORIES = 1000


def remember(home: Home, session_id: str, worktree: Path) -> None:
    """Write down what the locks of a fresh worktree name. Nothing is written for a repository without one."""
    found = list(itertools.islice(_locks(worktree), _LOCKS))
    if not found:
        return
    from clauderon.caching import lockfile

    locks = []
    left = _ALL_LOCKS_BYTES
    for path in found:
        data = confined.read(worktree, path, min(_LOCK_BYTES, left))
        if data is not None:
            left -= len(data)
            locks.append(lockfile.parse(data.decode(errors="replace")))
    named = lockfile.merged(locks)
    if named != lockfile.Named():
        _write(home, session_id, named)


def give_up(home: Home, session_id: str, dependency: GitDependency) -> None:
    """Want a git dependency no more: what the session keeps in its place took too long to look through once."""
    named = recall(home, session_id)
    _write(home, session_id, named._replace(git=tuple(each for each in named.git if each != dependency)))


def _write(home: Home, session_id: str, named: Named) -> None:
    home.caches.mkdir(mode=0o700, exist_ok=True)
    name = path_of(home, session_id).name
    confined.Tree(home.caches).write(name, json.dumps(named).encode(), 0o600)


def recall(home: Home, session_id: str) -> Named:
    """What `remember` wrote; nothing if it wrote nothing, or where the file is damaged."""
    from clauderon.caching.lockfile import Crate, GitDependency, Named

    path = path_of(home, session_id)
    try:
        crates, git = json.loads(confined.read(home.caches, path.name, _WANTED_BYTES) or b"[[], []]")
        return Named(tuple(Crate(*crate) for crate in crates), tuple(GitDependency(*each) for each in git))
    except (ValueError, TypeError):
        return Named()


def forget(home: Home, session_id: str) -> None:
    """Remove the list of what a session wants of the caches."""
    path_of(home, session_id).unlink(missing_ok=True)


def strangers(home: Home, known: Iterable[str]) -> list[Path]:
    """What is kept of sessions that are not among `known`, by their ids: of a lost database, of a killed delete."""
    ids = set(known)
    found = sorted(home.caches.iterdir()) if home.caches.is_dir() else []
    return [path for path in found if (match := _KEPT.fullmatch(path.name)) and match[1] not in ids]


def scratch_of(home: Home, session_id: str) -> Path:
    """A directory for what is looked through when the session ends; one that a killed command left is anybody's."""
    return home.caches / f"{session_id}.scratch"


def path_of(home: Home, session_id: str) -> Path:
    """Where it is written; there is no file where the commit names nothing."""
    return home.caches / f"{session_id}.wanted.json"


def _locks(worktree: Path) -> Iterator[str]:
    """Relative paths of locks, at the top and one and two directories below."""
    budget = _DIRECTORIES
    level = [""]
    for _ in range(3):
        following: list[str] = []
        for directory in level:
            budget -= 1
            if budget < 0:
                return
            try:
                with os.scandir(worktree / directory) as entries:
                    found = [(e.name, e.is_dir(follow_symlinks=False)) for e in entries]
            except OSError:
                continue
            for name, is_directory in sorted(found):
                if name == _LOCK and not is_directory:
                    yield f"{directory}{name}"
                elif is_directory and name != ".git":
                    following.append(f"{directory}{name}/")
        level = following
