"""What an agent did in git worktrees of its own (`git worktree add` inside): files there that no commit has.

Looks only; the copies it makes are in our own directory. Commits there are refs or traces of the private directory,
found with the rest of it.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clauderon import paths, visible
from clauderon.airlock.layout import HostSide, host_side
from clauderon.airlock.private_refs import Inside, names_in, open_dir, opened, read_file
from clauderon.airlock.quarantine import Quarantine
from clauderon.airlock.removal import remove_tree
from clauderon.airlock.shadow import place, shallow_file
from clauderon.airlock.snapshot import Place, changes, take
from clauderon.airlock.tree import open_up
from clauderon.airlock.workbench import Workbench
from clauderon.errors import ClauderonError
from clauderon.git.alternates import quoted
from clauderon.record import Session

_MOST = 64
_PATH_BYTES = 4096


@dataclass(slots=True)
class Linked:
    """One such worktree. `label` and `path`, the container's, are safe to print.

    where: the path as it is. head: the commit it is at, None for a branch without one; detached: no branch holds it.
    place: how to look at its files; None when nobody can. unseen: why it could not be looked at.
    """

    label: str
    where: str
    side: HostSide
    head: str | None = None
    detached: bool = False
    place: Place | None = None
    uncommitted: int = 0
    unseen: str = ""

    @property
    def path(self) -> str:
        """Where the worktree is in the container, printable."""
        return visible.lines(self.where)


def look(home: paths.Home, session: Session, common_dir: Path, env: Mapping[str, str]) -> list[Linked]:
    """The git worktrees inside, beside the session's own, that hold what no commit has or could not be looked at."""
    side = host_side(home, session.id)
    with Inside.open(home, session) as inside:
        found = [] if inside is None else _entries(inside, side)
        if inside is not None and found:
            Quarantine(side, common_dir=common_dir, env=env, name=session.name).mirror(inside)
    for one in found:
        try:
            _look(one, home.session_home(session.id), side, common_dir, env)
        except (ClauderonError, OSError) as error:
            one.unseen = str(error)
    return [one for one in found if one.uncommitted or one.unseen]


def _entries(inside: Inside, side: HostSide) -> list[Linked]:
    with opened(inside.root, ("worktrees",)) as directory:
        names = sorted(names_in(directory, _MOST)) if directory is not None else []
    found = []
    for name in names:
        written = read_file(inside.root, ("worktrees", name, "gitdir"), _PATH_BYTES)
        if written is None:
            continue
        # git can write it relative to its own place.
        entry = posixpath.join(paths.CONTAINER_GIT, "worktrees", name)
        where = posixpath.join(entry, written.decode("utf-8", "surrogateescape").strip("\n"))
        where = posixpath.dirname(posixpath.normpath(where))
        on, detached = inside.head("worktrees", name)
        root = side.root / "linked" / hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
        # Files below the session's own worktree are looked at with that.
        if where != paths.WORKSPACE and not where.startswith(f"{paths.WORKSPACE}/"):
            head = detached or (inside.ref(on) if on else None)
            found.append(Linked(visible.lines(name), where, HostSide(root), head, detached is not None))
    return found


def _look(one: Linked, top: Path, side: HostSide, common_dir: Path, env: Mapping[str, str]) -> None:
    """Count what is uncommitted. Raises ClauderonError and OSError."""
    if not one.where.startswith(f"{paths.CONTAINER_HOME}/"):
        one.unseen = "it lies where only the container can see it"
        return
    parts = tuple(one.where[len(paths.CONTAINER_HOME) + 1 :].split("/"))
    if not _is_there(top, parts):
        return  # it was removed, and git inside was not told
    if one.head is None:
        one.unseen = "its branch has no commit yet"
        return
    remove_tree(one.side.root)
    (one.side.objects / "info").mkdir(parents=True)
    (one.side.objects / "info/alternates").write_bytes(quoted(os.fsencode(side.objects)) + b"\n")
    shallow_file(one.side).touch()
    one.place = place(one.side, top, parts, one.head, common_dir=common_dir, env=env)
    found = changes(one.place)
    one.uncommitted = len(found.modified) + len(found.untracked)


def _is_there(top: Path, parts: tuple[str, ...]) -> bool:
    descriptor = open_dir(top)
    try:
        with opened(descriptor, parts) as directory:
            return directory is not None
    finally:
        os.close(descriptor)


@dataclass(slots=True)
class Keep:
    """What a delete is to keep of them: commits by label, their bases, where their objects are, what cannot be
    kept."""

    tips: dict[str, str] = field(default_factory=dict)
    heads: list[str] = field(default_factory=list)
    sources: list[Path] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def keep(
    home: paths.Home, session: Session, common_dir: Path, env: Mapping[str, str], bench: Workbench
) -> Keep:
    """Make a commit of what is uncommitted in each. bench: that of the session, which can read what is inside."""
    kept = Keep()
    for one in look(home, session, common_dir, env):
        if one.unseen:
            kept.lost.append(f"git worktree {one.path}: {one.unseen}")
            continue
        try:
            if one.place is None or one.head is None:
                continue
            open_up(one.place.worktree)
            snapshot = take(one.place, one.side, one.head)
            kept.lost += [f"left out: {one.path}: {reason}" for reason in snapshot.left_out]
            own = Workbench(one.side, common_dir, session, env)
            if snapshot.tree != bench.tree(one.head):
                message = f"Uncommitted work of session {session.name} in {one.path}\n"
                kept.tips[f"worktrees/{one.label}"] = own.commit_tree(snapshot.tree, [one.head], message)
                kept.heads.append(one.head)
                kept.sources.append(one.side.snapshot)
        except (ClauderonError, OSError) as error:
            kept.lost.append(f"git worktree {one.path}: {error}")
    return kept
