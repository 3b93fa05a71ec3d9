"""Taking a session's git things away: worktree, private directory, branch, refs; each step may be repeated.

Removes a branch only when its commits are held by something else; what `rescue` could not keep is moved aside.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from clauderon import paths
from clauderon.airlock.aside import set_aside
from clauderon.airlock.layout import (
    LOCK_MARK_ANY,
    RESCUES,
    admin_dir,
    beside,
    branch_ref,
    host_side,
    is_at,
    own_ref,
    registered,
)
from clauderon.airlock.refs import Change, ref_patterns, update_refs
from clauderon.airlock.removal import remove_tree
from clauderon.airlock.syncing import locked
from clauderon.airlock.worktree import drop_exclude
from clauderon.errors import Conflict
from clauderon.git.abandoned import drop_empty_above, remove_old
from clauderon.git.call import Git
from clauderon.git.environment import environment, offline
from clauderon.record import Session


def close(
    home: paths.Home,
    session: Session,
    environ: Mapping[str, str],
    *,
    keep_branch: bool = False,
    say: Callable[[str], None] = lambda _: None,
    last: Callable[[], None] = lambda: None,
) -> bool:
    """Remove everything `open_worktree` and `make_private` made; returns whether the branch was kept.

    The container must have ended. keep_branch: leave the branch even if its commits are held elsewhere.
    say: called with a sentence for a person about what stays in the repository. last: called when all is gone but our
    notes, by which a delete that is repeated knows what the first one has kept.
    Works when the user's repository is gone, and goes on where a killed one stopped. Raises BackendError when files
    cannot be removed, with the command that can.
    """
    side = host_side(home, session.id)
    common_dir = Path(session.git_dir) if session.git_dir else None
    repository_there = common_dir is not None and (common_dir / "objects").is_dir()
    worktree = home.worktree(session.name)
    admin = admin_dir(common_dir, worktree) if repository_there and common_dir is not None else None
    made = admin is not None or side.root.is_dir() or home.git_dir(session.id).is_dir()
    if not made and not _was_opening(session):
        # Never came to be, or is gone: a worktree or branch of that name would be somebody else's.
        last()
        _drop_if_empty(side.root.parent)
        return False
    kept = False
    with locked(side, session.name):
        # Whoever has begun this holds no lock of ours any more: it was killed.
        left_s = 0.0 if side.removing.exists() or _was_opening(session) else _LEFT_S
        side.removing.touch()
        _clear_directories(home, session, environ)
        if repository_there and common_dir is not None:
            kept = _Close(home, session, common_dir, admin, environ, say, left_s).run(keep_branch)
        last()
        remove_tree(side.root)
    _drop_if_empty(side.root.parent)
    return kept


def _drop_if_empty(directory: Path) -> None:
    with contextlib.suppress(OSError):
        directory.rmdir()


def _was_opening(session: Session) -> bool:
    """Whether a create was ended while git was at it: there may be a branch that has no worktree yet.

    `create` had seen that the branch was free before it recorded this step.
    """
    return session.state == "creating" and session.step not in ("", "recorded")


def _clear_directories(home: paths.Home, session: Session, environ: Mapping[str, str]) -> None:
    side = host_side(home, session.id)
    found = (home.worktree(session.name), home.git_dir(session.id))
    if side.unrescued.exists():
        set_aside(home, session, environ)
    for directory in found:
        remove_tree(directory)


def _remove_half_written(common_dir: Path, name: str) -> None:
    """Take away the entry of a worktree whose git was killed before it wrote down where the worktree is, or when it had
    removed that again.

    Other git commands fail over such an entry, and `git worktree prune` leaves it, since it is locked.
    """
    for admin in registered(common_dir):
        if admin.name.rstrip("0123456789") not in (name, name.rstrip("0123456789")):
            continue
        # One that a git of somebody else's is just writing is complete an instant later.
        for _ in range(_HALF_WRITTEN_LOOKS):
            with contextlib.suppress(OSError):
                if (admin / "gitdir").stat().st_size and (admin / "commondir").stat().st_size:
                    break
            time.sleep(_HALF_WRITTEN_PAUSE_S)
        else:
            remove_tree(admin)


_ATTEMPTS = 5
# Where no git is at work: how long another program may hold a lock.
_LEFT_S = 1.0
_WORTH_SAYING = 1 << 20
_HALF_WRITTEN_LOOKS = 10
_HALF_WRITTEN_PAUSE_S = 0.05


class _Close:
    def __init__(
        self,
        home: paths.Home,
        session: Session,
        common_dir: Path,
        admin: Path | None,
        environ: Mapping[str, str],
        say: Callable[[str], None],
        left_s: float,
    ) -> None:
        self._home = home
        self._session = session
        self._common_dir = common_dir
        self._admin = admin
        self._environ = environ
        self._say = say
        self._left_s = left_s
        self._git = Git(common_dir, offline(environment(environ)), timeout_s=None)

    def run(self, keep_branch: bool) -> bool:
        self._break_stale_locks()
        if _was_opening(self._session) or self._admin is None:
            _remove_half_written(self._common_dir, self._session.name)
        kept = self._remove_refs(keep_branch)
        if self._admin is not None:
            self._remove_admin(self._admin)
        rescue = f"{RESCUES}{self._session.name}"
        for ref in (branch_ref(self._session), own_ref(self._session.name, "base"), rescue):
            drop_empty_above(self._common_dir, Path(ref))
        with contextlib.suppress(OSError):
            (self._common_dir / "worktrees").rmdir()  # As git does after the last one.
        others = (admin for admin in registered(self._common_dir) if not is_at(admin, self._worktree))
        if not any(_is_a_sessions(admin) for admin in others):
            with contextlib.suppress(OSError):
                drop_exclude(self._common_dir)
        return kept

    @property
    def _worktree(self) -> Path:
        return self._home.worktree(self._session.name)

    def _remove_refs(self, keep_branch: bool) -> bool:
        """Our refs and the branch, in one transaction with the values they were judged by; whether it stays."""
        for _ in range(_ATTEMPTS):
            refs, elsewhere = self._refs()
            ref = branch_ref(self._session)
            tip = refs.get(ref)
            unborn = _was_opening(self._session) and not self._is_ours()
            if unborn and (elsewhere or tip not in (None, self._session.base)):
                return tip is not None  # another home's session, or the user, was faster
            kept = tip is not None and not unborn and self._must_stay(ref, keep_branch or elsewhere)
            doomed: list[Change] = [
                (name, None, oid) for name, oid in refs.items() if not (kept and name == ref)
            ]
            left = self._left_behind(doomed)
            try:
                if doomed:
                    update_refs(self._common_dir, doomed, self._environ)
            except Conflict:
                continue
            if tip is not None and not kept:
                self._forget_branch()
            if left >= _WORTH_SAYING:
                self._say(
                    f"{left >> 20} MiB of objects that nothing names any more stay in {self._session.repo}. "
                    f"git gc removes them after two weeks; at once: git -C '{self._session.repo}' gc --prune=now"
                )
            if kept:
                self._say(
                    f"Kept: branch {self._session.branch}, "
                    "since another worktree has it or nothing else holds its commits"
                )
            return kept
        raise Conflict(f"delete {self._session.name}", "its refs keep moving", hint="clauderon reconcile")

    def _left_behind(self, doomed: list[Change]) -> int:
        """Bytes on the disk of objects that only these refs name: former tips and the like, which no rescue keeps."""
        former = (own_ref(self._session.name, "was/"), own_ref(self._session.name, "incoming"))
        tips = sorted({oid for name, _, oid in doomed if oid is not None and name.startswith(former)})
        if not tips:
            return 0
        words = ("rev-list", "--disk-usage", "--objects", *tips, *beside(self._session), "--")
        answer = self._git.call(*words, ok=None)
        return int(answer.text) if answer.status == 0 and answer.text.strip().isdigit() else 0

    def _break_stale_locks(self) -> None:
        """Locks that a git killed with the machine, or with us, left behind: those on this session's own refs, and what
        every removal needs."""
        own = self._common_dir / own_ref(self._session.name, "")
        refs = [str(lock.relative_to(self._common_dir).with_suffix("")) for lock in own.glob("**/*.lock")]
        names = [*refs, branch_ref(self._session), "packed-refs", "config"]
        remove_old(self._common_dir, names, age_s=self._left_s)

    def _must_stay(self, ref: str, wanted: bool) -> bool:
        return wanted or not self._is_ours() or self._is_alone(ref)

    def _refs(self) -> tuple[dict[str, str], bool]:
        """The session's refs, and whether its branch is checked out in another worktree than its own."""
        ref = branch_ref(self._session)
        words = ("for-each-ref", "--format=%(objectname) %(refname)%00%(worktreepath)%00%00")
        answer = self._git.call(*words, *ref_patterns(self._session))
        found, elsewhere = dict[str, str](), False
        for record in answer.text.split("\0\0\n"):
            if record:
                named, _, path = record.partition("\0")
                oid, _, name = named.partition(" ")
                found[name] = oid
                if name == ref and path:
                    elsewhere = self._admin is None or not is_at(self._admin, Path(path))
        # git names one worktree of several.
        others = [
            self._common_dir,
            *(admin for admin in registered(self._common_dir) if admin != self._admin),
        ]
        return found, elsewhere or any(_is_on(git_dir, ref) for git_dir in others)

    def _is_ours(self) -> bool:
        """Whether the branch is the one this session made: our directory says so, or its worktree is on it."""
        if host_side(self._home, self._session.id).gitfile.exists():
            return True
        return self._admin is not None and _is_on(self._admin, branch_ref(self._session))

    def _is_alone(self, ref: str) -> bool:
        """Whether the branch holds a commit that nothing else does, and no equal of which is kept."""
        equal = host_side(self._home, self._session.id).equal
        held = ("--ignore-missing", *equal.read_text(encoding="ascii").splitlines()) if equal.exists() else ()
        # After the `--not` in it.
        words = ("rev-list", "--max-count=1", ref, *beside(self._session), *held, "--")
        return bool(self._git.call(*words).stdout)

    def _forget_branch(self) -> None:
        """Its section in the configuration, if a `git push -u` on the host made one."""
        words = ("config", "--local", "--remove-section", f"branch.{self._session.branch}")
        self._git.write(*words, ok=None)

    def _remove_admin(self, admin: Path) -> None:
        """The directory is gone; `worktree remove` takes the entry, and only this one, where `prune` takes all."""
        words = ("worktree", "remove", "--force", "--force", str(self._worktree))
        if self._git.write(*words, ok=None).status and is_at(admin, self._worktree):
            # git refuses, say an entry it finds damaged; the directory is the user's git's, written by the host only.
            remove_tree(admin)


def _is_on(git_dir: Path, ref: str) -> bool:
    """Whether a git directory's checkout is on a branch; unknown, so no, where reftable keeps HEAD elsewhere."""
    try:
        head = (git_dir / "HEAD").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return False
    return head.strip() == f"ref: {ref}"


def _is_a_sessions(admin: Path) -> bool:
    try:
        return (admin / "locked").read_text(encoding="utf-8", errors="replace").startswith(LOCK_MARK_ANY)
    except OSError:
        return False
