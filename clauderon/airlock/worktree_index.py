"""The host worktree's index after the branch moved, and the shield that keeps git out of planted submodules.

git runs with the worktree's administrative directory as its git directory; the worktree's `.git` is never asked.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from clauderon import paths
from clauderon.airlock.disk import corrections
from clauderon.airlock.layout import admin_dir
from clauderon.errors import CommandTimeout
from clauderon.git.call import Completed, Git
from clauderon.git.environment import environment, offline, without_filters
from clauderon.git.settings import Settings
from clauderon.record import Session

# The container can keep git waiting (a fifo, an endless file, swapped in at the right moment).
_TIMEOUT_S = 120.0
_ATTEMPTS = 5
# How many changed files are looked into by every later `git status`, rather than all files looked at now.
_FEW = 100
# How an entry begins whose file git has not looked at yet: times, device and inode are nought.
_UNSEEN = bytes(24)
# In an index.lock: that it is ours, and so stale for whoever holds the session's flock.
_MARK = b"clauderon\n"


def follow(
    home: paths.Home,
    session: Session,
    common_dir: Path,
    environ: Mapping[str, str],
    settings: Settings | None,
    *,
    old: str | None,
    new: str,
) -> bool:
    """Bring the host worktree's index from `old` to `new`; the files are there already, the container wrote them.

    What somebody staged on the host stays staged where the two do not meet. The index is made aside and put in place
    with its shield on: at no moment may a shell prompt's `git status` find a new submodule without it.
    settings: as git reads them in the worktree, None to ask it.
    Returns False when it has to be tried again: another git holds the index.
    """
    worktree = home.worktree(session.name)
    admin = admin_dir(common_dir, worktree)
    if admin is None:
        return True
    env = environment(environ)
    settings = settings or Git(admin, env).settings()
    env = without_filters(offline(env), settings.filters, corrections(settings.checkout, home.root))
    index = _Index(admin, worktree, env)
    for attempt in range(_ATTEMPTS):
        if index.take():
            try:
                return index.move(old, new)
            finally:
                index.release()
        time.sleep(0.1 * (attempt + 1))
    return False


def held(home: paths.Home, session: Session, common_dir: Path) -> str:
    """What a person should know where `follow` returned False, in a sentence."""
    lock = f"{admin_dir(common_dir, home.worktree(session.name))}/index.lock"
    return (
        "another git holds the worktree's index, so it is behind its branch until the next sync; "
        f"if no git runs there: rm '{lock}'"
    )


class _Index:
    """A worktree's index, changed in a copy while git's own lock on it is held."""

    def __init__(self, admin: Path, worktree: Path, env: Mapping[str, str]) -> None:
        self._admin = admin
        self._worktree = worktree
        self._index = admin / "index"
        self._copy = admin / "index.clauderon"
        self._lock = admin / "index.lock"
        self._marked = admin / "index.clauderon.mark"
        self._env = {**env, "GIT_INDEX_FILE": str(self._copy)}

    def take(self) -> bool:
        """Keep other gits from writing the index; False when one of them is at it."""
        with contextlib.suppress(OSError):
            # Ours, left by a kill: whoever carries this session's commits holds its flock (`syncing.locked`), and that
            # is us. A lock of git's own is git's to leave.
            if self._lock.read_bytes() == _MARK:
                self._lock.unlink()
        # Linked into place, so that at no moment there is a lock of ours without its mark.
        self._marked.write_bytes(_MARK)
        try:
            os.link(self._marked, self._lock)
        except FileExistsError:
            return False
        finally:
            self._marked.unlink()
        return True

    def release(self) -> None:
        for leftover in (self._copy, self._copy.with_name("index.clauderon.lock"), self._lock):
            leftover.unlink(missing_ok=True)

    def move(self, old: str | None, new: str) -> bool:
        """Whether the index is at `new` now."""
        there = self._index.exists()
        if there:
            shutil.copyfile(self._index, self._copy)
            # git tells files that may have changed unseen by comparing their time with the index's own.
            found = self._index.stat()
            os.utime(self._copy, ns=(found.st_atime_ns, found.st_mtime_ns))
        moved = self._call("read-tree", "-i", "-m", old, new) if old is not None and there else None
        if moved is None or moved.status:
            moved = self._call("read-tree", "--reset", new)
        if moved.status:
            return False
        # Only a matter of speed: without it the next `git status` looks into more files.
        if self._copy.read_bytes().count(_UNSEEN) > _FEW:
            with contextlib.suppress(CommandTimeout):
                self._call("update-index", "-q", "--refresh")
        shield(self._admin, self._worktree, self._env, self._copy)
        self._copy.replace(self._index)
        return True

    def _call(self, *words: str) -> Completed:
        git = Git(self._admin, self._env, self._worktree, timeout_s=_TIMEOUT_S)
        return git.call(*words, ok=None)


def has_submodules(admin: Path, index: Path | None = None) -> bool:
    """Whether a worktree's index may have an entry for a submodule. index: another than the worktree's own."""
    try:
        # The mode of a submodule entry, big-endian: no such bytes, no submodule, no process.
        return b"\x00\x00\xe0\x00" in (index or admin / "index").read_bytes()
    except OSError:
        return False


def may_have_any(home: paths.Home, session: Session, admin: Path | None) -> bool:
    """Whether there is a submodule inside, or the host worktree's index has an entry for one; asks no git."""
    return (home.git_dir(session.id) / "modules").is_dir() or (admin is not None and has_submodules(admin))


def shield(admin: Path, worktree: Path, env: Mapping[str, str], index: Path | None = None) -> None:
    """Keep every git on the host, ours or the user's, out of submodules of this worktree.

    A container can put a repository with a configuration of its choosing where a submodule belongs, and a plain
    `git status` would run it. `skip-worktree` makes git take the submodule as unchanged without looking there.
    index: another than the worktree's own; `env` names it too, then.
    """
    if not has_submodules(admin, index):
        return
    git = Git(admin, env, worktree)
    staged = git.call("ls-files", "--stage", "-z")
    submodules = [line for line in staged.stdout.split(b"\0") if line.startswith(b"160000 ")]
    if submodules:
        names = b"".join(line.partition(b"\t")[2] + b"\0" for line in submodules)
        git.call("update-index", "--skip-worktree", "-z", "--stdin", stdin=names)
