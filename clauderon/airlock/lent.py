"""The user's objects, lent to a session in a way that its git may touch them and the user never feels it.

git stores no object that is there already; it sets the time of the file that has it, so that no `gc` takes it away.
Where it cannot do that, as on a mount that is read-only, it stores the object once more. So the engine lays an
overlay over the objects: a changed time goes to a directory of the session's own (by `metacopy` the inode alone).

The layer below must never change while a container has it, and the user's `git gc` does change `objects`. So it
is a directory of ours, of hard links to what the user had: what is in there stays for as long as the session, and with
it every object that git inside did not store since it was there. Nothing may write to a file in it, change its mode or
its owner: these are the user's own files by another name. The upper layer is the container's to forge, and read by
nobody but the container.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from clauderon import paths
from clauderon.airlock.layout import CONTAINER_OBJECTS, HostSide, host_side
from clauderon.mount import Mount

# No bitmaps: git warns of a second one. No packs of what nothing names (`.mtimes`): git does not touch those either.
_PACKED = re.compile(r"(pack-[0-9a-f]+)\.(pack|promisor|rev|idx)\Z")
_MIDX = "multi-pack-index"
_FAN = re.compile(r"[0-9a-f]{2}\Z")
_LOOSE = re.compile(r"(?:[0-9a-f]{38}|[0-9a-f]{62})\Z")
# More than a repository has that git itself looks after; the rest is read where it is.
_MOST_LOOSE = 100_000
# In a mount's options others have a meaning, to the kernel or to the engine.
_PLAIN = re.compile(r"[\w/.@+=~ -]*\Z", re.ASCII)
# No link to be had here, so none to any other file.
_NOT_HERE = (
    errno.EXDEV,
    errno.EPERM,
    errno.EACCES,
    errno.EROFS,
    errno.EOPNOTSUPP,
    errno.ENOSPC,
    errno.EDQUOT,
)


def can_lend(home: paths.Home, objects: Sequence[Path], uid: int | None) -> bool:
    """Whether the objects could be touched in this way by a container that runs as `uid`.

    Only a file's owner may set its time, and a hard link leads to no other file system.
    """
    if uid is None or not objects or not _PLAIN.match(str(home.root)):
        return False
    try:
        found = objects[0].stat()
        return found.st_uid == uid and found.st_dev == home.root.stat().st_dev
    except OSError:
        return False


def options(lower: Sequence[Path], place: Path) -> str:
    """The options of an overlay whose changes go to `place`, two directories in it; for paths that are `_PLAIN`.

    `index=off`: an exchange of containers has two volumes of one place, one after the other.
    """
    below = ":".join(map(str, lower))
    return f"lowerdir={below},upperdir={place}/upper,workdir={place}/work,metacopy=on,index=off"


def make_place(place: Path) -> None:
    """The two directories that `options` names in `place`."""
    for name in ("upper", "work"):
        (place / name).mkdir(parents=True, exist_ok=True)


def link_objects(home: paths.Home, session_id: str, objects: Sequence[Path]) -> None:
    """Make the links, where there are none yet. Needs no worktree, so `create` does it while git fills one.

    objects: the repository's own directory of objects, then those that it borrows.
    """
    side = host_side(home, session_id)
    if side.lent.is_dir():
        return
    draft = side.lent.with_name("lent.new")
    if os.path.lexists(draft):  # of a command that was killed
        from clauderon.airlock.removal import remove_tree

        remove_tree(draft)
    draft.mkdir(parents=True)
    for number, directory in enumerate(objects):
        if not _link_all(directory, draft, own=number == 0):
            break
    draft.rename(side.lent)


def lend(home: paths.Home, session_id: str, objects: Sequence[Path]) -> Mount:
    """Make the links, where there are none yet, and what is laid over them; returns the overlay.

    objects: as `link_objects` has them, mounted beside as 1, 2, ....
    """
    side = host_side(home, session_id)
    link_objects(home, session_id, objects)
    joined = side.joined / "info/alternates"
    lines = "".join(f"{CONTAINER_OBJECTS}/{number}\n" for number in range(1, len(objects) + 1))
    if not joined.exists() or joined.read_text(encoding="ascii") != lines:
        joined.parent.mkdir(parents=True, exist_ok=True)
        joined.write_text(lines, encoding="ascii")
    make_place(side.touched)
    source = options((side.joined, side.lent), side.touched)
    return Mount(source, f"{CONTAINER_OBJECTS}/0", kind="overlay", owner=(str(home.root), session_id))


def sources(side: HostSide) -> tuple[Path, ...]:
    """Where objects are that git inside may have relied on, beside the repository's own. Nobody else writes there."""
    return (side.lent,) if side.lent.is_dir() else ()


def _link_all(source: Path, target: Path, *, own: bool) -> bool:
    """Link a directory of objects; False where there are no links to be had. own: with the index of all its packs."""
    loose = 0
    try:
        with os.scandir(source) as entries:
            fans = [entry.name for entry in entries if _FAN.match(entry.name)]
        _link(source / "pack", target / "pack", _packs(source / "pack", own))
        for fan in fans:
            names = [name for name in _names(source / fan) if _LOOSE.match(name)]
            loose += len(names)
            if loose > _MOST_LOOSE:
                break
            _link(source / fan, target / fan, names)
    except OSError as error:
        if error.errno in _NOT_HERE:
            return False
        raise
    return True


def _packs(directory: Path, own: bool) -> Iterator[str]:
    """The files of packs to link, a pack's index last: one without it is none."""
    there = set(_names(directory))
    for name in sorted(there, key=lambda name: name.endswith(".idx")):
        found = _PACKED.match(name)
        if found is not None and f"{found[1]}.mtimes" not in there:
            yield name
    if own and _MIDX in there:
        yield _MIDX


def _names(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)  # noqa: PTH208 - names alone, of thousands
    except (FileNotFoundError, NotADirectoryError):
        return []


def _link(source: Path, target: Path, names: Sequence[str] | Iterator[str]) -> None:
    target.mkdir(exist_ok=True)
    one, other = (
        os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) for directory in (source, target)
    )
    try:
        for name in names:
            # Gone: a `gc` is at it, and what replaces it is read where it is.
            with suppress(FileNotFoundError, FileExistsError):
                if stat.S_ISREG(os.lstat(name, dir_fd=one).st_mode):
                    os.link(name, name, src_dir_fd=one, dst_dir_fd=other, follow_symlinks=False)
    finally:
        os.close(one)
        os.close(other)
