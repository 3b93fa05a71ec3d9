"""Where a session's git files are on the host, and the names of its refs. Path arithmetic and host-side reads.

git/<id>/        the private git directory: the container writes here, the host only ever copies out of it
airlock/<id>/    our own notes about it, never mounted but for the read-only files that say so
    gitfile      is mounted over /workspace/.git (read-only)
    alternates   is mounted over the borrowed object directory's own info/alternates (read-only)
    tracks       which of our paths the repository tracks itself
    by-hand      what git by hand in the worktree reads last (`byhand`)
    objects/     verified copies of the container's objects
    lent/        hard links to the user's objects, the lower layer of an overlay (`lent`)
    joined/      where git inside finds the other directories of objects, in a layer above that one
    touched/     what the container's git has touched or written there: the container's to forge, never read
    snapshot/    new objects of the worktree's content, made for a diff or a rescue
    staging/     copies of the changed files, while they are made
    synced       the branch tip of the last finished sync
    lock         held while objects are carried
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from clauderon import paths
from clauderon.record import Session

# The user's object directories as the container sees them. Not at their path on the host: that may run through a
# directory the container's user cannot enter (/root), or lie below a mount of ours.
CONTAINER_OBJECTS = f"{paths.CONTAINER_ROOT}/objects"
RESCUES = "refs/clauderon/rescue/"
LOCK_MARK_ANY = "clauderon session "
LOCK_MARK = LOCK_MARK_ANY + "{name}:"
LOCK_REASON = LOCK_MARK + " clauderon delete {name} removes it"
# What a branch given to a session is written to, at the top of the private directory, before it has its name.
GIVEN_DRAFT = "given-branch"
# How a merge's directory among the notes begins; the number of its process follows.
MERGE = "merge-"
# How the directory of an overlay that is tried out begins, in clauderon's home. Beside it lies a mark `.NAME.PROCESS`.
TRIED_OVERLAY = "overlay-"


class HostSide(NamedTuple):
    """The host's own directory beside the private one; trusted."""

    root: Path

    @property
    def gitfile(self) -> Path:
        """The file that is mounted at /workspace/.git."""
        return self.root / "gitfile"

    @property
    def alternates(self) -> Path:
        """The file that is mounted over the borrowed objects' `info/alternates`."""
        return self.root / "alternates"

    @property
    def empty(self) -> Path:
        """An empty directory, for git to take as a repository's hooks."""
        return self.root / "empty"

    @property
    def tracks(self) -> Path:
        """The note of which paths the base commit tracks below `.clauderon/`."""
        return self.root / "tracks"

    @property
    def by_hand(self) -> Path:
        """The configuration for git by hand in the worktree (`byhand`)."""
        return self.root / "by-hand"

    @property
    def objects(self) -> Path:
        """Verified copies of the session's new objects."""
        return self.root / "objects"

    @property
    def lent(self) -> Path:
        """Hard links to the user's objects; no file in it may be written, or given another mode or owner."""
        return self.root / "lent"

    @property
    def joined(self) -> Path:
        """The layer above: one file, which names the other directories of objects by their places inside."""
        return self.root / "joined"

    @property
    def touched(self) -> Path:
        """Where the overlay's changes go; the container's to forge."""
        return self.root / "touched"

    @property
    def snapshot(self) -> Path:
        """The index of the last snapshot of uncommitted work."""
        return self.root / "snapshot"

    @property
    def staging(self) -> Path:
        """Copies of changed files, while a snapshot is made."""
        return self.root / "staging"

    @property
    def synced(self) -> Path:
        """The note of the tip that was last carried."""
        return self.root / "synced"

    @property
    def following(self) -> Path:
        """While a sync is at it: the commit the worktree's index was at before the branch moved."""
        return self.root / "following"

    @property
    def expanse(self) -> Path:
        """Sizes of trees that were measured before."""
        return self.root / "expanse"

    @property
    def grown(self) -> Path:
        """How many bytes the user's repository has taken beyond what the objects take inside."""
        return self.root / "grown"

    @property
    def refused(self) -> Path:
        """What was refused last, and for what state of things."""
        return self.root / "refused"

    @property
    def left_out(self) -> Path:
        """Objects inside that were looked at and are not what they should be."""
        return self.root / "left-out"

    @property
    def lock(self) -> Path:
        """The lock that is held while commits are carried."""
        return self.root / "lock"

    @property
    def keep_ignored(self) -> Path:
        """Exists when a delete is to rescue ignored files too, also one that `reconcile` finishes."""
        return self.root / "keep-ignored"

    @property
    def unrescued(self) -> Path:
        """Exists when something inside could not be rescued into a ref, one reason a line."""
        return self.root / "unrescued"

    @property
    def rescued(self) -> Path:
        """The refs of ours that a delete has made so far, one a line."""
        return self.root / "rescued"

    @property
    def equal(self) -> Path:
        """Commits that no ref of ours holds, since what an earlier rescue holds is the same; one a line."""
        return self.root / "equal"

    @property
    def removing(self) -> Path:
        """Exists from before the first file of a session is removed: what is there then is no longer its work."""
        return self.root / "removing"


def host_side(home: paths.Home, session_id: str) -> HostSide:
    """A session's directory of notes on the host, which no container has."""
    return HostSide(host_sides(home) / session_id)


def host_sides(home: paths.Home) -> Path:
    """Where the directories of all sessions' notes are."""
    return home.root / "airlock"


def branch_ref(session: Session) -> str:
    """The full ref of a session's branch."""
    return f"refs/heads/{session.branch}"


def kept_dir(home: paths.Home, session: Session) -> Path:
    """Where `close` moves what no ref could be made of."""
    return home.root / "rescue" / f"{session.name}-{session.id}"


def free(path: Path) -> Path:
    """`path`, or the same with a number where something exists already."""
    number = 1
    found = path
    while os.path.lexists(found):
        number += 1
        found = path.with_name(f"{path.name}-{number}")
    return found


def own_ref(name: str, leaf: str) -> str:
    """A ref of ours in the user's repository: `base`, `synced`, `incoming`, `was/<n>`."""
    return f"refs/clauderon/{name}/{leaf}"


def beside(session: Session, *, rescues: bool = True) -> tuple[str, ...]:
    """For `git rev-list`: not what would still be there without this session. rescues: those of sessions before too.

    Other sessions' private refs are no place to rely on, they go with those sessions; `--single-worktree` because
    the session's own worktree names its branch as HEAD.
    """
    return (
        "--single-worktree",
        "--not",
        f"--exclude={branch_ref(session)}",
        "--exclude=refs/clauderon/*",
        "--all",
        *(("--glob=refs/clauderon/rescue",) if rescues else ()),
    )


def rescue_ref(name: str) -> str:
    """The full ref of a rescue."""
    return f"{RESCUES}{name}"


def admin_dir(common_dir: Path, worktree: Path) -> Path | None:
    """The worktree's administrative directory, `<common>/worktrees/<some name>`; None if it has none.

    Found from the repository's side: the `.git` file in the worktree is not evidence.
    """
    # Nearly always it carries the worktree's own name; git appends a number when that is taken.
    likely = common_dir / "worktrees" / worktree.name
    if is_at(likely, worktree):
        return likely
    return next((admin for admin in registered(common_dir) if is_at(admin, worktree)), None)


def registered(common_dir: Path) -> list[Path]:
    """The administrative directories of the repository's worktrees, whosever they are."""
    directory = common_dir / "worktrees"
    try:
        return sorted(directory.iterdir())
    except OSError:
        return []


def is_at(admin: Path, worktree: Path) -> bool:
    """Whether an administrative directory is that of `worktree`."""
    try:
        recorded = (admin / "gitdir").read_bytes().removesuffix(b"\n")
    except OSError:
        return False
    pointer = admin / os.fsdecode(recorded)
    return pointer.name == ".git" and _real(pointer.parent) == _real(worktree)


def _real(worktree: Path) -> str:
    """The path with its parents resolved, but not its last part, which may be a link that the container made."""
    return os.path.join(os.path.realpath(worktree.parent), worktree.name)  # noqa: PTH118 - hot path
