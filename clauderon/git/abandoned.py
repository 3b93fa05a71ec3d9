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
_Which = tuple[int, int, int] | None  # which file it is, and as of when
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
    while found := [(lock, _which(lock)) for lock in look()]:
        if not is_worked_in(common):
            return [lock for lock, which in found if _unlink(common, lock, which)]
        if time.monotonic() > deadline:
            break
        time.sleep(_PAUSE_S)
    return []


def _unlink(common: Path, lock: Path, which: _Which) -> bool:
    # Another than before we looked for gits is the lock of one that has begun since.
    if which is None or _which(lock) != which:
        return False
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
        return Path(os.path.normpath(git_dir / _line(git_dir / "commondir")))
    return git_dir


def git_dir_of(top: Path) -> Path:
    """The git directory of a checkout, by its `.git`."""
    dot_git = top / ".git"
    with contextlib.suppress(OSError):
        return Path(os.path.normpath(top / _line(dot_git).removeprefix("gitdir:").strip()))
    return dot_git


def _line(file: Path) -> str:
    """What git wrote of a path, of whatever bytes it is."""
    return os.fsdecode(file.read_bytes()).strip()


def is_worked_in(common: Path) -> bool:
    """Whether a git runs in this repository, as far as we can see; True where that cannot be seen."""
    places = {os.fsencode(place) for named in _places(common) for place in (named, os.path.realpath(named))}
    try:
        processes = [entry for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    except OSError:
        return True
    return not processes or any(_is_git_in(process, common, places) for process in processes)


def _is_git_in(process: Path, common: Path, places: set[bytes]) -> bool:
    try:
        # A container's processes are here too, and its bytes need not be text.
        if not (process / "comm").read_bytes().startswith(b"git"):
            return False
        if (process / "stat").read_bytes().rpartition(b")")[2].split()[0] in (b"Z", b"X"):
            return False
        said = (process / "environ").read_bytes().split(b"\0")
        words = [(process / "cmdline").read_bytes(), *(one for one in said if one.startswith(b"GIT_"))]
        if any(place in word for word in words for place in places):
            return True
        here = (process / "cwd").readlink()
    except PermissionError:
        return True  # somebody else's
    except OSError:
        return False  # it has ended
    above = [os.fsencode(place) for place in (here, *here.parents)]
    return not places.isdisjoint(above) or _is_checkout_of(common, here)


def _is_checkout_of(common: Path, here: Path) -> bool:
    """Whether git finds this repository from there: one whose directory is elsewhere does not know its checkout."""
    for top in (here, *here.parents):
        with contextlib.suppress(OSError):
            return common_dir(git_dir_of(top)).samefile(common)
    return False


def _places(common: Path) -> Iterator[Path]:
    """The directories in which a git of this repository runs."""
    yield common
    if common.name == ".git":
        yield common.parent
    for named in common.glob("worktrees/*/gitdir"):
        with contextlib.suppress(OSError):
            yield Path(os.path.normpath(named.parent / _line(named))).parent


def _locks(common: Path) -> Iterator[Path]:
    for directory in (common, *common.glob("worktrees/*")):
        yield from directory.glob("*.lock")
        for below in ("refs", "reftable"):
            for place, _, files in os.walk(directory / below):
                yield from (Path(place, name) for name in files if name.endswith(".lock"))


def _which(lock: Path) -> _Which:
    try:
        found = lock.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns


def _made(lock: Path) -> float:
    """When a lock was made, in seconds since the epoch; 0 if it is not there."""
    try:
        return lock.lstat().st_mtime
    except OSError:
        return 0.0
