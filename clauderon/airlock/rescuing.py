"""Before a session is deleted: whatever only it holds goes to refs in the user's repository.

Loses nothing: what cannot be made a commit of (too large, a damaged history) is marked, for `close` to move aside.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clauderon import paths
from clauderon.airlock import linked
from clauderon.airlock.carry import carry
from clauderon.airlock.dropped import Traces, dropped, traces
from clauderon.airlock.ignoring import asked_for
from clauderon.airlock.layout import HostSide, branch_ref, host_side, kept_dir, own_ref
from clauderon.airlock.lent import sources
from clauderon.airlock.private_refs import Inside
from clauderon.airlock.quarantine import Quarantine
from clauderon.airlock.refs import ref_patterns
from clauderon.airlock.rescue_refs import Kept, labelled, read_lines, record, write_lines
from clauderon.airlock.snapshot import Snapshot, changes, take
from clauderon.airlock.status import place_of
from clauderon.airlock.submodule_work import keep
from clauderon.airlock.syncing import common_dir_of, locked
from clauderon.airlock.tree import open_up
from clauderon.airlock.workbench import Workbench
from clauderon.errors import ClauderonError
from clauderon.git.call import Git, lines, parse_refs
from clauderon.git.environment import environment
from clauderon.git.settings import Settings, parse_settings
from clauderon.record import Session

# More refs than this are kept by one commit that has them all as parents, named in its message.
_REFS_ONE_BY_ONE = 64
_PARENTS = 500
_SAID_ONE_BY_ONE = 20
# Many refs of which each is refused: each costs some processes, and all of it is moved aside anyway.
_MOST_REFUSALS = 200


def rescue(home: paths.Home, session: Session, environ: Mapping[str, str]) -> tuple[Kept, ...]:
    """Keep what a delete would lose; returns the refs that hold it now (`Kept`), or () when nothing would be lost.

    The last entries are directories, for what git could not take: `close` moves things there. Safe to repeat, also
    after a `close` that was killed: then nothing is looked at any more, since half of it is gone.
    Raises Conflict when another command carries this session's commits.
    """
    side = host_side(home, session.id)
    there = home.worktree(session.name).is_dir() or home.git_dir(session.id).is_dir()
    if not there and not side.removing.exists():
        return ()
    with locked(side, session.name):
        before = tuple(Kept(ref) for ref in read_lines(side.rescued))
        if side.removing.exists():
            return (*before, *((Kept(str(kept_dir(home, session))),) if side.unrescued.exists() else ()))
        side.unrescued.unlink(missing_ok=True)
        run = _Rescue(home, session, environ, side, before)
        try:
            refs: tuple[Kept, ...] = run.refs()
        except ClauderonError as error:
            # A container must not be able to hold up its own removal, nor to have its work thrown away by it.
            run.lost.append(f"{error}\n{error.detail}".strip())
            refs = ()
        # What an earlier attempt has kept is held by that, and not found again.
        refs = (*(ref for ref in before if ref not in refs), *refs)
        write_lines(side.rescued, refs)
        if run.lost:
            side.unrescued.write_text("\n".join(run.lost) + "\n", encoding="utf-8", errors="backslashreplace")
            refs = (*refs, Kept(str(kept_dir(home, session))))
    return refs


@dataclass(slots=True)
class _Rescue:
    home: paths.Home
    session: Session
    environ: Mapping[str, str]
    side: HostSide
    before: tuple[Kept, ...] = ()
    lost: list[str] = field(default_factory=list)
    common_dir: Path = Path()
    env: dict[str, str] = field(default_factory=dict)
    known: list[str] = field(default_factory=list)
    bench: Workbench = field(init=False)
    traces: Traces = field(default_factory=Traces)
    refusals: int = 0
    sources: list[Path] = field(default_factory=list)
    settings: Settings = field(default_factory=lambda: parse_settings(b""))

    def refs(self) -> tuple[Kept, ...]:
        session = self.session
        self.common_dir = common_dir_of(session)
        self.env = environment(self.environ)
        self.bench = Workbench(self.side, self.common_dir, session, self.env)
        git = Git(self.common_dir, self.env)
        host = git.refs(*ref_patterns(session))
        self.settings = git.settings()
        self.known = list(host.values())
        candidates, head = self._inside()
        tip = host.get(branch_ref(session))
        if tip is not None:
            candidates.setdefault("host", tip)
        incoming = host.get(own_ref(session.name, "incoming"))
        if incoming is not None:
            candidates.setdefault("incoming", incoming)
        candidates |= self._dropped(tip)
        snapshot = self._snapshot(head or tip)
        alone = self._only_here(candidates)
        wanted = {label: oid for label, oid in candidates.items() if oid in alone}
        if "" not in wanted and "host" in wanted:
            wanted[""] = wanted.pop("host")
        if snapshot is not None:
            wanted = self._with_snapshot(snapshot, wanted, head, tip)
        trees = linked.keep(self.home, session, self.common_dir, self.env, self.bench)
        modules = keep(self.home, session, self.common_dir, self.env)
        self.lost += [*trees.lost, *modules.lost]
        self.sources += [*trees.sources, *modules.sources]
        held = [*candidates.values(), *wanted.values(), *trees.heads, *self.known]
        left = dropped(self.bench, session, self.side.objects, traces=self.traces, held=held, lost=self.lost)
        wanted |= {f"dropped/{number}": oid for number, oid in enumerate(left)}
        wanted = {label: oid for label, oid in wanted.items() if not label or oid != wanted.get("")}
        wanted |= modules.tips | trees.tips
        carried = self._carried(sorted(set(wanted.values())))
        kept = labelled({label: oid for label, oid in wanted.items() if oid in carried})
        if len(kept) > _REFS_ONE_BY_ONE:
            kept = self._gathered(kept)
            self._carried(list(kept.values()))
        earlier = self._kept_before(
            dict.fromkeys(oid for oid in candidates.values() if oid not in (*alone, session.base))
        )
        if not kept:
            return earlier
        refs, equal = record(self.common_dir, session.name, kept, self.environ, self.bench.same, self.before)
        if equal:
            write_lines(self.side.equal, equal)
        return (*refs, *(ref for ref in earlier if ref not in refs))

    def _kept_before(self, commits: Iterable[str]) -> tuple[Kept, ...]:
        """The refs of earlier rescues that hold these commits, where nothing else does: to be said, not made."""
        found = dict.fromkeys(
            ref for oid in itertools.islice(commits, _SAID_ONE_BY_ONE) for ref in self.bench.rescued(oid)
        )
        return tuple(Kept(ref, earlier=ref not in self.before) for ref in found)

    def _with_snapshot(
        self, snapshot: Snapshot, wanted: Mapping[str, str], head: str | None, tip: str | None
    ) -> dict[str, str]:
        """`wanted` with a commit of the snapshot in the first place; its ancestors need no ref of their own."""
        main = wanted.get("")
        if main is not None and head is not None and main != head and self.bench.is_ancestor(main, head):
            parents = [head]
        else:
            parents = [oid for oid in dict.fromkeys([head or tip, main]) if oid is not None]
        # Where the container's history cannot be carried, the snapshot still can, on what the host has.
        for tried in (parents, [oid for oid in [tip] if oid is not None]):
            if tried == [tip] and self.bench.tree(tip) == snapshot.tree:
                break
            commit = self._commit(snapshot, tried)
            if self._carried([commit]):
                return {"": commit} | {
                    label: oid for label, oid in wanted.items() if label and oid not in tried
                }
        return dict(wanted)

    def _carried(self, tips: list[str]) -> set[str]:
        """Bring commits over, all at once or, when that fails, each that can be; returns those."""
        if not tips:
            return set()
        try:
            carry(
                self.common_dir,
                self.side.objects,
                self.side.snapshot,
                *sources(self.side),
                *self.sources,
                tips=tips,
                known=self.known,
                env=self.env,
                partial=bool(self.settings.promisor),
                side=self.side,
                fsck=self.settings.fsck,
                what=f"rescue {self.session.name}",
            )
        except ClauderonError as error:
            self.refusals += 1
            if self.refusals > _MOST_REFUSALS:
                self.lost.append(f"{len(tips)} more: after {_MOST_REFUSALS} refusals nothing was tried")
                return set()
            if len(tips) == 1:
                self.lost.append(f"{tips[0]}: {error}: {error.detail}")
                return set()
            half = len(tips) // 2
            return self._carried(tips[:half]) | self._carried(tips[half:])
        return set(tips)

    def _inside(self) -> tuple[dict[str, str], str | None]:
        """Everything inside that names commits, by label, and what HEAD is at. "" is the session's own branch."""
        session, found = self.session, dict[str, str]()
        quarantine = Quarantine(self.side, common_dir=self.common_dir, env=self.env, name=session.name)
        self.lost += [
            f"closed to us: {path!a}" for path in open_up(self.home.git_dir(session.id), files=True)
        ]
        with Inside.open(self.home, session) as inside:
            if inside is None:
                return found, None
            refs = inside.refs()
            on, detached = inside.head()
            head = detached or (inside.ref(on) if on else None)
            stashes = inside.stashes()
            self.traces = traces(inside, refs)
            if inside.is_reftable():
                self.lost.append("inside, refs are in the reftable format, which is not read from outside")
            if inside.truncated:
                self.lost.append("inside, there are more refs than are read from outside")
            quarantine.mirror(inside)
        self.lost += quarantine.notes
        own = refs.pop(branch_ref(session), None)
        if own is not None:
            found[""] = own
        for name, oid in sorted(refs.items()):
            # What was fetched from a remote is still there.
            if not name.startswith("refs/remotes/") and name != "refs/stash":
                found[name.removeprefix("refs/")] = oid
        for number, oid in enumerate(dict.fromkeys([*filter(None, [refs.get("refs/stash")]), *stashes])):
            found[f"stash/{number}"] = oid
        if detached is not None:
            found["HEAD"] = detached
        return found, head

    def _dropped(self, tip: str | None) -> dict[str, str]:
        """Former tips that the branch was simply taken back from. After an amend or a rebase the commits went on
        in another form; after a plain reset they are nowhere else."""
        if tip is None:
            return {}
        wanted = (f"--contains={tip}", own_ref(self.session.name, "was"))
        words = ("for-each-ref", "--format=%(objectname) %(refname)", *wanted)
        answer = Git(self.common_dir, self.env).call(*words, ok=None)
        found = parse_refs(answer.stdout) if answer.status == 0 else {}
        return {name.removeprefix(own_ref(self.session.name, "")): oid for name, oid in found.items()}

    def _snapshot(self, head: str | None) -> Snapshot | None:
        """The worktree's content where it differs from what HEAD inside has; None when it does not."""
        if head is None or not self.home.worktree(self.session.name).is_dir():
            return None
        try:
            place = place_of(self.home, self.session, self.environ)
            self.lost += [f"closed to us: {path!a}" for path in open_up(place.worktree)]
            host = Git(place.admin, self.env).text("rev-parse", "HEAD^{commit}")
            also, found = asked_for(place, self.side), changes(place)
            if host == head and not (also or found.any):
                return None
            snapshot = take(place, self.side, host, also=also, found=found)
        except (ClauderonError, OSError) as error:
            self.lost.append(f"the worktree's uncommitted changes could not be read: {error}")
            return None
        self.lost += [f"left out: {reason}" for reason in snapshot.left_out]
        return None if snapshot.tree == self.bench.tree(head) else snapshot

    def _commit(self, snapshot: Snapshot, parents: list[str]) -> str:
        count = len(snapshot.changes.modified) + len(snapshot.changes.untracked)
        message = (
            f"Uncommitted work of session {self.session.name}\n\n{count} paths differed from the branch.\n"
        )
        return self.bench.commit_tree(snapshot.tree, parents, message)

    def _only_here(self, candidates: Mapping[str, str]) -> set[str]:
        """Which of the commits nothing else in the user's repository holds."""
        asked = sorted(set(candidates.values()))
        if not asked:
            return set()
        checked = self.bench.call(
            "cat-file", "--batch-check", stdin=lines(f"{oid}^{{commit}}" for oid in asked)
        )
        commits: dict[str, str] = {}
        for oid, line in zip(asked, checked.text.splitlines(), strict=True):
            fields = line.split(" ")
            if len(fields) == 3 and fields[1] == "commit":
                commits[oid] = fields[0]
            else:
                self.lost.append(f"inside, a ref names {oid}, which is not there or no commit")
        alone = self.bench.alone(list(commits.values()), self.lost)
        return {oid for oid, commit in commits.items() if commit in alone}

    def _gathered(self, kept: Mapping[str, str]) -> dict[str, str]:
        """One ref for very many: commits whose parents are the tips, chained, the names in their messages."""
        main = kept.get("")
        rest = [(label, oid) for label, oid in kept.items() if label]
        chain: list[str] = []
        for start in range(0, len(rest), _PARENTS):
            part = rest[start : start + _PARENTS]
            message = "Refs of a deleted session\n\n" + "".join(f"{oid} {label}\n" for label, oid in part)
            parents = list(dict.fromkeys([*chain, *(oid for _, oid in part)]))
            empty = self.bench.call("mktree", "--missing").text.strip()
            chain = [self.bench.commit_tree(empty, parents, message)]
        found = {"": main} if main else {}
        return found | {"more": chain[0]}
