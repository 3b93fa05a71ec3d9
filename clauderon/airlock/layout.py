"""Where a session's git things stand on the host, and the names of its refs. Path arithmetic and host-side reads.

git/<id>/        the private git directory: the container writes here, the host only ever copies out of it
git/<id>.host/   our own notes about it, never mounted but for the two read-only files
    gitfile      stands over /workspace/.git
    alternates   stands over the borrowed object directory's own info/alternates
    objects/     verified copies of the container's objects
    synced       the branch tip of the last finished sync
    lock         held while objects are carried
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clauderon import paths
from clauderon.store import Session

# The user's object directories as the container sees them. Not at their path on the host: that may run through a
# directory the container's user cannot enter (/root), or lie below a mount of ours.
CONTAINER_OBJECTS = f"{paths.CONTAINER_ROOT}/objects"
LOCK_REASON = "clauderon session {name}: clauderon delete {name} removes it"


@dataclass(frozen=True, slots=True)
class HostSide:
    """The host's own directory beside the private one; trusted."""

    root: Path

    @property
    def gitfile(self) -> Path:
        return self.root / "gitfile"

    @property
    def alternates(self) -> Path:
        return self.root / "alternates"

    @property
    def empty(self) -> Path:
        return self.root / "empty"

    @property
    def objects(self) -> Path:
        return self.root / "objects"

    @property
    def snapshot(self) -> Path:
        return self.root / "snapshot"

    @property
    def synced(self) -> Path:
        return self.root / "synced"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def unrescued(self) -> Path:
        """Stands when something inside could not be rescued into a ref, one reason a line."""
        return self.root / "unrescued"


def host_side(home: paths.Home, session_id: str) -> HostSide:
    return HostSide(home.git_dirs / f"{session_id}.host")


def branch_ref(session: Session) -> str:
    return f"refs/heads/{session.branch}"


def own_ref(name: str, leaf: str) -> str:
    """A ref of ours in the user's repository: `base`, `synced`, `incoming`, `was/<n>`."""
    return f"refs/clauderon/{name}/{leaf}"


def rescue_ref(name: str) -> str:
    return f"refs/clauderon/rescue/{name}"


def admin_dir(common_dir: Path, worktree: Path) -> Path | None:
    """The worktree's administrative directory, `<common>/worktrees/<some name>`; None if it has none.

    Found from the repository's side: the `.git` file in the worktree is not evidence.
    """
    wanted = os.path.realpath(worktree.parent) + os.sep + worktree.name
    # Nearly always it carries the worktree's own name; git appends a number when that is taken.
    for candidate in _candidates(common_dir / "worktrees", worktree.name):
        try:
            recorded = (candidate / "gitdir").read_bytes()
        except OSError:
            continue
        pointer = candidate / os.fsdecode(recorded.removesuffix(b"\n"))
        if pointer.name == ".git" and _same(pointer.parent, wanted):
            return candidate
    return None


def _same(recorded: Path, wanted: str) -> bool:
    return os.path.realpath(recorded.parent) + os.sep + recorded.name == wanted


def _candidates(directory: Path, first: str) -> Iterator[Path]:
    yield directory / first
    try:
        names = sorted(os.listdir(directory))  # noqa: PTH208 - names only
    except OSError:
        return
    yield from (directory / name for name in names if name != first)
