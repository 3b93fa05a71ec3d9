"""A submodule seen through a repository of ours: verified copies of its objects, and its files under names of ours.

The container writes the git directory and every directory of the worktree, and could put a link in the place of either
while git looks. So git gets neither: its git directory is written here, and the files are linked, one by one, into a
directory that only we write.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

from clauderon import paths
from clauderon.airlock.layout import HostSide, host_side
from clauderon.airlock.private_refs import Inside, open_dir, open_regular, opened, read_file
from clauderon.airlock.quarantine import Quarantine
from clauderon.airlock.removal import remove_tree
from clauderon.airlock.snapshot import Place
from clauderon.airlock.submodules import Submodule
from clauderon.airlock.worktree_index import shield
from clauderon.errors import Refused
from clauderon.git.alternates import quoted
from clauderon.git.call import Git
from clauderon.record import Session

_ENTRIES = 1_000_000
_COPIED_BYTES = 4 << 30
_SHALLOW_BYTES = 4 << 20


def shadow_side(home: paths.Home, session: Session, submodule: Submodule) -> HostSide:
    """Where our copies and the repository of ours are; the same each time, so that copies are made once."""
    name = hashlib.sha256(repr((submodule.parts, submodule.nested)).encode()).hexdigest()[:16]
    return HostSide(host_side(home, session.id).root / "modules" / name)


def mirror(
    side: HostSide, inside: Inside, *, common_dir: Path, env: Mapping[str, str], name: str
) -> tuple[str, ...]:
    """Copy a submodule's objects, and the list of commits its history is cut at. Returns what was left out."""
    side.objects.mkdir(parents=True, exist_ok=True)
    quarantine = Quarantine(side, common_dir=common_dir, env=env, name=name)
    quarantine.mirror(inside)
    cut = read_file(inside.root, ("shallow",), _SHALLOW_BYTES) or b""
    lines = [line for line in cut.split(b"\n") if len(line) == inside.oid_chars and line.isalnum()]
    shallow_file(side).write_bytes(b"".join(line + b"\n" for line in lines))
    return tuple(quarantine.notes)


def shallow_file(side: HostSide) -> Path:
    """Our copy of the private directory's `shallow`."""
    return side.root / "shallow"


def place(
    side: HostSide,
    worktree: Path,
    parts: tuple[str, ...],
    head: str,
    *,
    common_dir: Path,
    env: Mapping[str, str],
) -> Place:
    """A repository of ours at commit `head` with the files of `worktree`/`parts`. Raises Refused for too many."""
    git = side.root / "git"
    remove_tree(git)
    for directory in ("refs", "objects/info"):
        (git / directory).mkdir(parents=True)
    borrowed = (os.fsencode(directory) for directory in (side.objects, common_dir / "objects"))
    (git / "objects/info/alternates").write_bytes(b"".join(quoted(path) + b"\n" for path in borrowed))
    (git / "HEAD").write_text(f"{head}\n", encoding="ascii")
    settings = "[core]\n\trepositoryFormatVersion = 1\n\tbare = false\n"
    if len(head) == 64:
        settings += "[extensions]\n\tobjectFormat = sha256\n"
    (git / "config").write_text(settings, encoding="ascii")
    shutil.copyfile(shallow_file(side), git / "shallow")
    tree = side.root / "tree"
    remove_tree(tree)
    tree.mkdir()
    _link(worktree, parts, tree)
    made = Place(
        common_dir=git,
        admin=git,
        worktree=tree,
        env=env,
        filters=Git(git, env).settings().filters,
        tracks=frozenset(paths.OUR_PATHS),
    )
    Git(git, made.reading, tree).call("read-tree", head)
    shield(git, tree, made.reading)
    return made


def _link(worktree: Path, parts: tuple[str, ...], tree: Path) -> None:
    """Give every file below `worktree`/`parts` a name below `tree`, but for the `.git` at its top."""
    top = open_dir(worktree)
    waiting: list[tuple[str, ...]] = [()]
    seen, copied = 0, 0
    try:
        while waiting:
            below = waiting.pop()
            with opened(top, (*parts, *below)) as directory:
                if directory is None:
                    continue
                target = tree.joinpath(*below)
                with os.scandir(directory) as entries:
                    for entry in entries:
                        seen += 1
                        if not below and entry.name == ".git":
                            continue
                        if entry.is_dir(follow_symlinks=False):
                            (target / entry.name).mkdir()
                            waiting.append((*below, entry.name))
                        else:
                            copied += _give_name(directory, entry.name, target / entry.name)
                        if seen > _ENTRIES or copied > _COPIED_BYTES:
                            raise Refused(
                                f"submodule {'/'.join(parts)!a}", "it has more files than are looked at"
                            )
    finally:
        os.close(top)


def _give_name(directory: int, name: str, target: Path) -> int:
    """Link a file or a link; copy it where a link is not allowed. Returns the bytes copied."""
    try:
        mode = os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
            return 0
        os.link(name, target, src_dir_fd=directory, follow_symlinks=False)
    except OSError:
        return _copy(directory, name, target)
    return 0


def _copy(directory: int, name: str, target: Path) -> int:
    """Another file system, or a file of another user's."""
    try:
        target.symlink_to(os.readlink(name, dir_fd=directory))
        return 0
    except OSError:
        descriptor = open_regular(directory, name)
    if descriptor is None:
        return 0
    with open(descriptor, "rb") as source, open(target, "wb") as file:
        found = os.fstat(descriptor)
        shutil.copyfileobj(source, file, 1 << 20)
        target.chmod(stat.S_IMODE(found.st_mode) & 0o777)
    return found.st_size
