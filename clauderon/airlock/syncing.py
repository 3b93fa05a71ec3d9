"""Carrying the session's branch from the container to the user's repository: objects and one branch, nothing else.

Overwrites nothing that moved on the host: an incoming tip that does not follow is kept under a ref of ours.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clauderon import paths, proc
from clauderon.airlock.carry import carry, printable
from clauderon.airlock.inside import Inside, tip
from clauderon.airlock.layout import HostSide, admin_dir, branch_ref, host_side, own_ref
from clauderon.airlock.quarantine import Quarantine
from clauderon.errors import BackendError, CommandFailed, Conflict
from clauderon.git.environment import environment, hardened, offline, without_filters
from clauderon.git.settings import Settings, parse_settings
from clauderon.store import Session

LOCK_TIMEOUT_S = 120.0
_GIT_TIMEOUT_S = 600.0
_ATTEMPTS = 5

Outcome = Literal["up-to-date", "advanced", "diverged", "missing"]


@dataclass(frozen=True, slots=True)
class SyncResult:
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


def sync(home: paths.Home, session: Session, environ: Mapping[str, str]) -> SyncResult:
    """Carry the branch over. Cheap when the branch has not moved inside since the last time.

    Raises BackendError (repository gone, history damaged), Conflict (another sync holds the lock for two minutes)
    and Refused (more than `quarantine.Bounds` inside).
    """
    side = host_side(home, session.id)
    unmoved = _unmoved(home, session, side)
    if unmoved is not None:
        return unmoved
    common_dir = common_dir_of(session)
    with locked(side, session.name):
        for attempt in range(_ATTEMPTS):
            try:
                return _Sync(home, session, side, common_dir, environ).run()
            except Conflict:
                # The host branch moved between our look at it and the update: look again.
                if attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(0.05 * (attempt + 1))
    raise AssertionError("unreachable")


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
    side.root.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        descriptor = os.open(side.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # `close` removes the file with its directory: a lock on a removed file excludes nobody.
            if _same_file(descriptor, side.lock):
                break
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise Conflict(f"sync {name}", "another command is carrying this session's commits") from None
            time.sleep(0.02)
        os.close(descriptor)
    try:
        yield
    finally:
        os.close(descriptor)


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


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


@dataclass(slots=True)
class _Sync:
    home: paths.Home
    session: Session
    side: HostSide
    common_dir: Path
    environ: Mapping[str, str]

    def run(self) -> SyncResult:
        session, env = self.session, environment(self.environ)
        ref = branch_ref(session)
        with Inside.open(self.home, session) as inside:
            new = None if inside is None else inside.ref(ref)
            if inside is None or new is None:
                return self._missing(inside)
            notes = _elsewhere(inside, session)
            asking = proc.start(refs_argv(self.common_dir, session), env=env, cwd="/")
            config = proc.start(hardened(self.common_dir, "config", "--list", "-z"), env=env, cwd="/")
            refs = parse_refs(asking.result().stdout)
            settings = parse_settings(config.result().stdout)
            old = refs.get(ref)
            last = refs.get(own_ref(session.name, "synced")) or refs.get(own_ref(session.name, "base"))
            if old is not None and new in (old, last):
                return self._nothing_new(old, new, last, notes)
            quarantine = Quarantine(self.side, common_dir=self.common_dir, env=env, name=session.name)
            quarantine.mirror(inside)
        known = [oid for oid in {last, old, *refs.values()} if oid is not None]
        carry(
            self.common_dir,
            quarantine.objects,
            tips=[new],
            known=known,
            env=env,
            partial=bool(settings.promisor),
            what=f"sync {session.name}",
        )
        notes += tuple(quarantine.notes)
        return self._update(refs, settings, new=new, old=old, last=last, notes=notes)

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
        self._remember(new)
        return SyncResult("up-to-date", old, old, notes=notes)

    def _remember(self, new: str) -> None:
        partial = self.side.synced.with_name("synced.tmp")
        partial.write_text(f"{new}\n", encoding="ascii")
        partial.replace(self.side.synced)

    def _update(
        self,
        refs: Mapping[str, str],
        settings: Settings,
        *,
        new: str,
        old: str | None,
        last: str | None,
        notes: tuple[str, ...],
    ) -> SyncResult:
        """Move the host branch if it is where we left it or where the new tip continues; else keep `incoming`."""
        name = self.session.name
        ours = {key: own_ref(name, key) for key in ("synced", "incoming")}
        dropped, gained = self._apart(old, new) if old is not None else (0, self._apart(last or new, new)[1])
        if old is not None and gained == 0:
            # The host has all of it already, and more.
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
        update_refs(self.common_dir, changes, self.environ)
        follow(self.home, self.session, self.common_dir, settings, self.environ, old=old, new=new)
        self._remember(new)
        return SyncResult("advanced", old, new, gained, notes=notes)

    def _apart(self, left: str, right: str) -> tuple[int, int]:
        """How many commits only `left` has, and only `right`."""
        argv = hardened(self.common_dir, "rev-list", "--left-right", "--count", f"{left}...{right}", "--")
        answer = proc.start(argv, env=offline(environment(self.environ)), cwd="/").result(
            timeout_s=_GIT_TIMEOUT_S
        )
        first, second = answer.text.split()
        return int(first), int(second)


def refs_argv(common_dir: Path, session: Session) -> list[str]:
    patterns = (branch_ref(session), own_ref(session.name, ""))
    return hardened(common_dir, "for-each-ref", "--format=%(objectname) %(refname)", *patterns)


def parse_refs(output: bytes) -> dict[str, str]:
    """Read `for-each-ref --format='%(objectname) %(refname)'`: ref name to object name."""
    lines = output.decode("utf-8", "surrogateescape").splitlines()
    return {name: oid for oid, _, name in (line.partition(" ") for line in lines)}


Change = tuple[str, str | None, str | None]


def update_refs(common_dir: Path, changes: list[Change], environ: Mapping[str, str]) -> None:
    """Change refs in one transaction: (name, new or None to delete, old or None for "must not exist").

    Raises Conflict when one of them is not where it should be.
    """
    words = [b"start"]
    for name, new, old in changes:
        zero = "0" * len(new or old or "")
        if new is None:
            words.append(b"delete %b" % os.fsencode(name) + b"\0" + (old or "").encode())
        else:
            words.append(
                b"update %b" % os.fsencode(name) + b"\0" + new.encode() + b"\0" + (old or zero).encode()
            )
    words += [b"prepare", b"commit"]
    argv = hardened(common_dir, "update-ref", "-m", "clauderon: sync", "--create-reflog", "--stdin", "-z")
    stdin = b"".join(word + b"\0" for word in words)
    try:
        proc.start(argv, env=environment(environ), cwd="/", stdin=stdin).result(timeout_s=_GIT_TIMEOUT_S)
    except CommandFailed as error:
        if "lock" in error.detail or "expected" in error.detail or "already exists" in error.detail:
            raise Conflict(
                "update refs", "a ref moved meanwhile, or is locked", detail=printable(error.detail)
            ) from error
        raise


def follow(
    home: paths.Home,
    session: Session,
    common_dir: Path,
    settings: Settings,
    environ: Mapping[str, str],
    *,
    old: str | None,
    new: str,
) -> None:
    """Bring the host worktree's index from `old` to `new`; the files are there already, the container wrote them.

    What somebody staged on the host stays staged where the two do not meet.
    """
    worktree = home.worktree(session.name)
    admin = admin_dir(common_dir, worktree)
    if admin is None:
        return
    env = without_filters(offline(environment(environ)), settings.filters)

    def call(*words: str, stdin: bytes = b"") -> proc.Completed:
        argv = hardened(admin, *words, work_tree=worktree)
        return proc.start(argv, env=env, cwd="/", stdin=stdin).result(ok=None, timeout_s=_GIT_TIMEOUT_S)

    for attempt in range(_ATTEMPTS):
        moved = call("read-tree", "-i", "-m", old, new) if old is not None else None
        if moved is None or moved.status:
            moved = call("read-tree", "--reset", new)
        if moved.status == 0:
            break
        time.sleep(0.1 * (attempt + 1))  # somebody's `git status` holds index.lock
    call("update-index", "-q", "--refresh")
    shield(admin, worktree, env)


def shield(admin: Path, worktree: Path, env: Mapping[str, str]) -> None:
    """Keep every git on the host, ours or the user's, out of submodules of this worktree.

    A container can put a repository with a configuration of its choosing where a submodule belongs, and a plain
    `git status` would run it. `skip-worktree` makes git take the submodule as unchanged without looking there.
    """
    try:
        # The mode of a submodule entry, big-endian: no such bytes, no submodule, no process.
        if b"\x00\x00\xe0\x00" not in (admin / "index").read_bytes():
            return
    except OSError:
        return
    staged = proc.start(
        hardened(admin, "ls-files", "--stage", "-z", work_tree=worktree), env=env, cwd="/"
    ).result()
    submodules = [line for line in staged.stdout.split(b"\0") if line.startswith(b"160000 ")]
    if submodules:
        names = b"".join(line.partition(b"\t")[2] + b"\0" for line in submodules)
        argv = hardened(admin, "update-index", "--skip-worktree", "-z", "--stdin", work_tree=worktree)
        proc.start(argv, env=env, cwd="/", stdin=names).result()


__all__ = ["SyncResult", "common_dir_of", "locked", "parse_refs", "sync", "update_refs"]
