"""Carrying the session's branch from the container to the user's repository: objects and one branch, nothing else.

Overwrites nothing that moved on the host: an incoming tip that does not follow is kept under a ref of ours.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from clauderon import filelock, paths
from clauderon.airlock.layout import HostSide, admin_dir, branch_ref, host_side, own_ref
from clauderon.airlock.private_refs import Inside, tip
from clauderon.airlock.refs import Change, ref_patterns, update_refs
from clauderon.airlock.worktree_index import follow, held, may_have_any
from clauderon.errors import BackendError, Conflict
from clauderon.git.call import REFS, SETTINGS, Git, parse_refs
from clauderon.git.environment import environment
from clauderon.git.settings import Settings, parse_settings
from clauderon.record import Session

if TYPE_CHECKING:
    from clauderon.airlock.carry import Carried

LOCK_TIMEOUT_S = 120.0
_ATTEMPTS = 5

Outcome = Literal["up-to-date", "advanced", "diverged", "missing"]


class SyncResult(NamedTuple):
    """What a sync did.

    outcome:  `advanced` moved the host branch; `up-to-date` had nothing to bring; `diverged` found the host branch
              moved as well and kept the container's under `incoming`; `missing` found no such branch inside.
    old, new: the host branch before and after, None where there is none.
    commits:  how many the host branch gained, or `incoming` holds beyond it.
    notes:    sentences for a person.
    """

    outcome: Outcome
    old: str | None
    new: str | None
    commits: int = 0
    incoming: str | None = None
    notes: tuple[str, ...] = ()


def sync(
    home: paths.Home, session: Session, environ: Mapping[str, str], *, allowed: Collection[str] = ()
) -> SyncResult:
    """Carry the branch over. Cheap when the branch has not moved inside since the last time.

    Raises BackendError (repository gone, history damaged), Conflict (another sync holds the lock for two minutes)
    and Refused (more than `quarantine.Bounds` inside, or a planted repository at a path that is not `allowed`).
    """
    side = host_side(home, session.id)
    unmoved = _unmoved(home, session, side)
    if unmoved is not None:
        return unmoved
    common_dir = common_dir_of(session)
    if not side.root.is_dir() and not home.git_dir(session.id).is_dir():
        return SyncResult("missing", None, None, notes=("the session's private git directory is gone",))
    with locked(side, session.name):
        if side.removing.exists():
            return SyncResult("missing", None, None, notes=("the session is half removed",))
        for attempt in range(_ATTEMPTS):
            try:
                return _Sync(home, session, side, common_dir, environ, tuple(sorted(allowed))).run()
            except OSError as error:
                raise BackendError(
                    f"sync {session.name}", error.strerror or str(error), hint="clauderon doctor"
                ) from error
            except Conflict:
                # The host branch moved between our look at it and the update: look again.
                if attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(0.05 * (attempt + 1))
    raise AssertionError("unreachable")


def is_half_done(home: paths.Home, session: Session) -> bool:
    """Whether a killed sync moved the branch and not the worktree's index. False while a sync is at it."""
    side = host_side(home, session.id)
    return side.following.exists() and not filelock.is_held(side.lock)


def common_dir_of(session: Session) -> Path:
    """The user's common git directory. Raises BackendError when it is gone."""
    common_dir = Path(session.git_dir)
    if not (common_dir / "objects").is_dir():
        raise BackendError(
            f"session {session.name}",
            f"its repository is no longer at {session.repo}",
            hint=f"clauderon delete {session.name}",
        )
    return common_dir


@contextlib.contextmanager
def locked(side: HostSide, name: str) -> Iterator[None]:
    """One carrier at a time for each session. Raises Conflict after two minutes."""
    side.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    busy = Conflict(f"sync {name}", "another command is carrying this session's commits")
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(filelock.held(side.lock, busy, LOCK_TIMEOUT_S))
        except FileNotFoundError:
            # `close` removes the file with its directory.
            raise Conflict(f"session {name}", "another command has just removed it") from None
        yield


def _unmoved(home: paths.Home, session: Session, side: HostSide) -> SyncResult | None:
    try:
        last = side.synced.read_text(encoding="ascii").strip()
    except OSError:
        return None
    if not last or tip(home, session) != last:
        return None
    with Inside.open(home, session) as inside:
        notes = () if inside is None else _elsewhere(inside, session)
    return SyncResult("up-to-date", last, last, notes=notes)


def _elsewhere(inside: Inside, session: Session) -> tuple[str, ...]:
    """A note when the agent works on another branch than the one that is carried."""
    ref, commit = inside.head()
    if ref == branch_ref(session):
        return ()
    where = f"on {ref.removeprefix('refs/heads/')!a}" if ref else "detached" if commit else "unreadable"
    return (f"inside, HEAD is {where}; only {session.branch} is carried over",)


class _Sync(NamedTuple):
    """at_worktree: the settings as the worktree has them; None where there is none, or where git could not tell."""

    home: paths.Home
    session: Session
    side: HostSide
    common_dir: Path
    environ: Mapping[str, str]
    allowed: tuple[str, ...]
    at_worktree: Settings | None = None

    def run(self) -> SyncResult:
        session, env = self.session, environment(self.environ)
        ref = branch_ref(session)
        with Inside.open(self.home, session) as inside:
            new = None if inside is None else inside.ref(ref)
            if inside is None or new is None:
                return self._missing(inside)
            notes = _elsewhere(inside, session)
            refs, settings, at_worktree = self._read(env)
            knowing = self._replace(at_worktree=at_worktree)
            old = refs.get(ref)
            last = refs.get(own_ref(session.name, "synced")) or refs.get(own_ref(session.name, "base"))
            if old is not None and new in (old, last):
                return knowing._nothing_new(old, new, last, notes)
            from clauderon.airlock.bringing import bring
            from clauderon.airlock.refusals import remembered, state_of

            known = [oid for oid in {last, old, *refs.values()} if oid is not None]
            rules = (*settings.fsck, *self.allowed)
            with remembered(self.side.refused, state_of(inside, self.common_dir, new, rules)):
                carried, said = bring(
                    inside,
                    self.side,
                    self.common_dir,
                    session,
                    env,
                    new=new,
                    known=known,
                    settings=settings,
                    planted=self.allowed,
                )
        return knowing._update(refs, carried, new=new, old=old, last=last, notes=notes + said)

    def _read(self, env: Mapping[str, str]) -> tuple[dict[str, str], Settings, Settings | None]:
        """The session's refs in the user's repository, and that repository's settings; and those of the worktree."""
        git = Git(self.common_dir, env)
        asking = git.start(*REFS, *ref_patterns(self.session))
        config = git.start(*SETTINGS)
        admin = admin_dir(self.common_dir, self.home.worktree(self.session.name))
        beside = git.on(admin).start(*SETTINGS) if admin is not None else None
        refs = parse_refs(asking.result().stdout)
        settings = parse_settings(config.result().stdout)
        there = None if beside is None else beside.result(ok=None)
        return refs, settings, None if there is None or there.status else parse_settings(there.stdout)

    def _missing(self, inside: Inside | None) -> SyncResult:
        if inside is None:
            why = "the session's private git directory is gone"
        elif inside.is_reftable():
            why = "inside, refs are in the reftable format; git refs migrate --ref-format=files brings them back"
        else:
            why = f"inside, there is no branch {self.session.branch}"
        return SyncResult("missing", None, None, notes=(why,))

    def _nothing_new(self, old: str, new: str, last: str | None, notes: tuple[str, ...]) -> SyncResult:
        if old != new:
            notes += (f"{self.session.branch} has moved on the host; the container does not see that",)
        elif last != new:
            update_refs(self.common_dir, [(own_ref(self.session.name, "synced"), new, last)], self.environ)
        if old != new or not self.side.following.exists():
            self._remember(new)
        else:
            notes += self._follow(new)
        return SyncResult("up-to-date", old, old, notes=notes)

    def _follow(self, new: str) -> tuple[str, ...]:
        """Bring the index along; the notes say what kept it."""
        was = self.side.following.read_text(encoding="ascii").strip() or None
        if not follow(
            self.home, self.session, self.common_dir, self.environ, self.at_worktree, old=was, new=new
        ):
            return (held(self.home, self.session, self.common_dir),)
        self.side.following.unlink()
        self._remember(new)
        return ()

    def _remember(self, new: str) -> None:
        self._write(self.side.synced, new)

    def _write(self, path: Path, oid: str) -> None:
        partial = path.with_name(path.name + ".tmp")
        partial.write_text(f"{oid}\n", encoding="ascii")
        partial.replace(path)

    def _update(
        self,
        refs: Mapping[str, str],
        carried: Carried,
        *,
        new: str,
        old: str | None,
        last: str | None,
        notes: tuple[str, ...],
    ) -> SyncResult:
        """Move the host branch if it is where we left it or where the new tip continues; else keep `incoming`."""
        name = self.session.name
        ours = {key: own_ref(name, key) for key in ("synced", "incoming")}
        since = old or last or new
        straight = carried.straight(since, new)
        dropped, gained = self._apart(since, new) if straight is None else (0, straight)
        if old is None:
            dropped = 0
        if old is not None and gained == 0 and old != last:
            # The host has all of it already, and more. (Where only the container moved, it was a reset: follow it.)
            update_refs(self.common_dir, [(ours["synced"], new, refs.get(ours["synced"]))], self.environ)
            self._remember(new)
            return SyncResult(
                "up-to-date",
                old,
                old,
                notes=(*notes, f"{self.session.branch} is further on the host than inside"),
            )
        if old is not None and dropped and old != last:
            update_refs(self.common_dir, [(ours["incoming"], new, refs.get(ours["incoming"]))], self.environ)
            word = "commit" if gained == 1 else "commits"
            note = f"{self.session.branch} moved on the host too; the container's {gained} {word} are kept as"
            return SyncResult(
                "diverged", old, old, gained, ours["incoming"], (*notes, f"{note} {ours['incoming']}")
            )
        changes: list[Change] = [
            (branch_ref(self.session), new, old),
            (ours["synced"], new, refs.get(ours["synced"])),
        ]
        if ours["incoming"] in refs:
            changes.append((ours["incoming"], None, refs[ours["incoming"]]))
        if dropped and old is not None:
            was = own_ref(name, f"was/{sum(ref.startswith(own_ref(name, 'was/')) for ref in refs) + 1}")
            changes.append((was, old, None))
            notes += (
                f"the container rewrote {dropped} commit{'s' * (dropped > 1)}; the former tip is {was}",
            )
        # Says where the index still is, should we be killed between the two.
        self._write(self.side.following, old or "")
        update_refs(self.common_dir, changes, self.environ)
        notes += self._follow(new)
        notes += self._pointing(old or self.session.base, new)
        return SyncResult("advanced", old, new, gained, notes=notes)

    def _pointing(self, old: str, new: str) -> tuple[str, ...]:
        if not may_have_any(
            self.home, self.session, admin_dir(self.common_dir, self.home.worktree(self.session.name))
        ):
            return ()
        from clauderon.airlock.submodule_work import pointing

        return pointing(self.home, self.session, self.common_dir, environment(self.environ), old, new)

    def _apart(self, left: str, right: str) -> tuple[int, int]:
        return Git.of(self.common_dir, self.environ).offline().apart(left, right)
