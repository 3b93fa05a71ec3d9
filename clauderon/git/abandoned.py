"""The lock files that a git leaves when it is killed: found, and removed where no git that runs can hold them.

git never breaks a lock, and every later git waits for it and fails. A lock says nothing of its maker, so one is taken
for abandoned only when no git works in its repository, which Linux alone can say. Runs nothing, and raises nothing.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

# The time of a file may lie a little before that of the clock that its maker was started by.
_SLACK_S = 1.0
# A git holds its locks for milliseconds, and another git may be at work now.
_PATIENCE_S = 2.0
_PAUSE_S = 0.05
# After that nobody waits for a lock to go by itself: git's own patience (`environment.HARDENED`) is at its end.
OLD_S = 9.0


def remove_since(git_dir: str | os.PathLike[str], began: float) -> list[Path]:
    """Remove the locks that were made since then in a repository, if no git works there; returns them.

    git_dir: any git directory of it, a worktree's too; never one that a container writes to. began: seconds since the
    epoch.
    """
    common = common_dir(Path(git_dir))
    return _remove(common, lambda: [lock for lock in _locks(common) if _made(lock) >= began - _SLACK_S])


def remove_old(common: Path, names: Iterable[str], *, age_s: float = OLD_S) -> list[Path]:
    """Remove the locks of these files or refs (`refs/heads/main`) that are old, if no git works there; returns them."""
    wanted = [common / f"{name}.lock" for name in names]
    return _remove(common, lambda: [lock for lock in wanted if 0 < _made(lock) <= time.time() - age_s])


def _remove(common: Path, look: Callable[[], list[Path]]) -> list[Path]:
    deadline = time.monotonic() + _PATIENCE_S
    while found := look():
        if not is_worked_in(common):
            return [lock for lock in found if _unlink(common, lock)]
        if time.monotonic() > deadline:
            break
        time.sleep(_PAUSE_S)
    return []


def _unlink(common: Path, lock: Path) -> bool:
    try:
        lock.unlink()
    except OSError:
        return False
    drop_empty_above(common, lock.relative_to(common))
    return True


def drop_empty_above(common: Path, ref: Path) -> None:
    """Remove the directories that git made for a ref (`refs/heads/a/b`) and no ref is in: a killed git leaves them."""
    for above in ref.parents:
        if len(above.parts) < 3 or above.parts[0] != "refs":
            break
        with contextlib.suppress(OSError):
            (common / above).rmdir()


def common_dir(git_dir: Path) -> Path:
    """What a git directory shares with the others of its repository."""
    with contextlib.suppress(OSError):
        return Path(os.path.normpath(git_dir / (git_dir / "commondir").read_text().strip()))
    return git_dir


def git_dir_of(top: Path) -> Path:
    """The git directory of a checkout, by its `.git`."""
    dot_git = top / ".git"
    with contextlib.suppress(OSError):
        return Path(os.path.normpath(top / dot_git.read_text().removeprefix("gitdir:").strip()))
    return dot_git


def is_worked_in(common: Path) -> bool:
    """Whether a git runs in this repository, as far as we can see; True where that cannot be seen."""
    places = [str(place) for place in _places(common)]
    try:
        processes = [entry for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    except OSError:
        return True
    return not processes or any(_is_git_in(process, places) for process in processes)


def _is_git_in(process: Path, places: list[str]) -> bool:
    try:
        if not (process / "comm").read_text().startswith("git"):
            return False
        if (process / "stat").read_text().rpartition(")")[2].split()[0] in "ZX":
            return False
        words = (process / "cmdline").read_bytes()
        if any(os.fsencode(place) in words for place in places):
            return True
        here = str((process / "cwd").readlink())
    except PermissionError:
        return True  # somebody else's
    except OSError:
        return False  # it has ended
    return any(here == place or here.startswith(f"{place}/") for place in places)


def _places(common: Path) -> Iterator[Path]:
    """The directories in which a git of this repository runs."""
    yield common
    if common.name == ".git":
        yield common.parent
    for named in common.glob("worktrees/*/gitdir"):
        with contextlib.suppress(OSError):
            yield Path(named.read_text().strip()).parent


def _locks(common: Path) -> Iterator[Path]:
    for directory in (common, *common.glob("worktrees/*")):
        yield from directory.glob("*.lock")
        for below in ("refs", "reftable"):
            for place, _, files in os.walk(directory / below):
                yield from (Path(place, name) for name in files if name.endswith(".lock"))


def _made(lock: Path) -> float:
    """When a lock was made, in seconds since the epoch; 0 if it is not there."""
    try:
        return lock.lstat().st_mtime
    except OSError:
        return 0.0
