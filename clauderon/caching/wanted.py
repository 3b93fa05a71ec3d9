"""What a session may find and hand on: what the locks of the commit it began from name by hash.

Read once, from the worktree as git checked it out, before the container starts. What the session writes into its
worktree afterwards names nothing. Most repositories have no lock, and `create` is not to pay for them: the parser is
imported where there is one.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from clauderon import confined
from clauderon.paths import Home

if TYPE_CHECKING:
    from clauderon.caching.lockfile import Named

_LOCK = "Cargo.lock"
_LOCK_BYTES = 16 << 20
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
    for path in found:
        data = confined.read(worktree, path, _LOCK_BYTES)
        if data is not None:
            locks.append(lockfile.parse(data.decode(errors="replace")))
    named = lockfile.merged(locks)
    if named != lockfile.Named():
        home.caches.mkdir(mode=0o700, exist_ok=True)
        file = path_of(home, session_id)
        confined.Tree(home.caches).write(file.name, json.dumps(named).encode(), 0o600)


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
    path_of(home, session_id).unlink(missing_ok=True)


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
