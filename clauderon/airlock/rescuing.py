"""Before a session is deleted: whatever only it holds goes to refs in the user's repository.

Loses nothing: what cannot be made a commit of (too large, a damaged history) is marked, and `close` then moves the
directory aside instead of removing it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clauderon import paths, proc
from clauderon.airlock.carry import carry, untrusting
from clauderon.airlock.inside import Inside
from clauderon.airlock.layout import branch_ref, host_side, kept_dir, own_ref, rescue_ref
from clauderon.airlock.looking import beside, place_of
from clauderon.airlock.quarantine import Quarantine
from clauderon.airlock.refs import Change, parse_refs, refs_argv, update_refs
from clauderon.airlock.snapshot import Place, Snapshot, take
from clauderon.airlock.syncing import common_dir_of, locked
from clauderon.errors import BackendError, ClauderonError
from clauderon.git.alternates import alternates
from clauderon.git.environment import environment, hardened, offline
from clauderon.git.settings import parse_settings
from clauderon.store import Session

_TIMEOUT_S = 600.0
# More refs than this are kept by one commit that has them all as parents, named in its message.
_REFS_ONE_BY_ONE = 64
_PARENTS = 500
_LABEL_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./")
_WHO = {
    "GIT_AUTHOR_NAME": "clauderon",
    "GIT_AUTHOR_EMAIL": "clauderon@localhost",
    "GIT_COMMITTER_NAME": "clauderon",
    "GIT_COMMITTER_EMAIL": "clauderon@localhost",
}


def rescue(home: paths.Home, session: Session, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Keep what a delete would lose; returns the refs that hold it now, or () when nothing would be lost.

    The last entries are directories, for what git could not take: `close` moves things there. Safe to repeat.
    Raises Conflict when another command carries this session's commits.
    """
    side = host_side(home, session.id)
    if not home.worktree(session.name).is_dir() and not home.git_dir(session.id).is_dir():
        return ()
    with locked(side, session.name):
        side.unrescued.unlink(missing_ok=True)
        run = _Rescue(home, session, environ)
        try:
            refs = run.refs()
        except ClauderonError as error:
            # A container must not be able to hold up its own removal, nor to have its work thrown away by it.
            run.lost.append(f"{error}\n{error.detail}".strip())
            refs = ()
        if run.lost:
            side.unrescued.write_text("\n".join(run.lost) + "\n", encoding="utf-8", errors="backslashreplace")
            refs = (*refs, str(kept_dir(home, session)))
    return refs


@dataclass(slots=True)
class _Rescue:
    home: paths.Home
    session: Session
    environ: Mapping[str, str]
    lost: list[str] = field(default_factory=list)
    common_dir: Path = Path()
    env: dict[str, str] = field(default_factory=dict)

    def refs(self) -> tuple[str, ...]:
        session, side = self.session, host_side(self.home, self.session.id)
        self.common_dir = common_dir_of(session)
        self.env = environment(self.environ)
        asked = proc.start(refs_argv(self.common_dir, session), env=self.env, cwd="/").result()
        host = parse_refs(asked.stdout)
        candidates, head = self._inside()
        tip = host.get(branch_ref(session))
        if tip is not None:
            candidates.setdefault("host", tip)
        incoming = host.get(own_ref(session.name, "incoming"))
        if incoming is not None:
            candidates.setdefault("incoming", incoming)
        candidates |= self._dropped(tip)
        snapshot = self._snapshot(head or tip)
        lost = self._only_here(candidates)
        wanted = {label: oid for label, oid in candidates.items() if oid in lost}
        main = wanted.pop("", None) or wanted.pop("host", None)
        held = {main}
        if snapshot is not None:
            parents = self._parents(head or tip, main)
            main, held = self._commit(snapshot, parents), {main, *parents}
        wanted = {label: oid for label, oid in wanted.items() if oid not in held}
        if main is None and not wanted:
            return ()
        kept = _labelled({"": main, **wanted} if main else wanted)
        if len(kept) > _REFS_ONE_BY_ONE:
            kept = self._gathered(kept)
        config = proc.start(
            hardened(self.common_dir, "config", "--list", "-z"), env=self.env, cwd="/"
        ).result()
        carry(
            self.common_dir,
            side.objects,
            side.snapshot,
            tips=kept.values(),
            known=host.values(),
            env=self.env,
            partial=bool(parse_settings(config.stdout).promisor),
            what=f"rescue {session.name}",
        )
        return self._record(kept)

    def _inside(self) -> tuple[dict[str, str], str | None]:
        """Everything inside that names commits, by label, and what HEAD is at. "" is the session's own branch."""
        session, found = self.session, dict[str, str]()
        quarantine = Quarantine(
            host_side(self.home, session.id), common_dir=self.common_dir, env=self.env, name=session.name
        )
        with Inside.open(self.home, session) as inside:
            if inside is None:
                return found, None
            refs = inside.refs()
            on, detached = inside.head()
            head = detached or (inside.ref(on) if on else None)
            stashes = inside.stashes()
            if inside.is_reftable():
                self.lost.append("inside, refs are in the reftable format, which is not read from outside")
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
        where = own_ref(self.session.name, "was")
        words = ("for-each-ref", "--format=%(objectname) %(refname)", f"--contains={tip}", where)
        answer = proc.start(hardened(self.common_dir, *words), env=self.env, cwd="/").result(ok=None)
        found = parse_refs(answer.stdout) if answer.status == 0 else {}
        return {name.removeprefix(own_ref(self.session.name, "")): oid for name, oid in found.items()}

    def _snapshot(self, head: str | None) -> Snapshot | None:
        """The worktree's content where it differs from what HEAD inside has; None when it does not."""
        if head is None or not self.home.worktree(self.session.name).is_dir():
            return None
        try:
            place = place_of(self.home, self.session, self.environ)
            snapshot = take(place, host_side(self.home, self.session.id), self._host_head(place))
        except (ClauderonError, OSError) as error:
            self.lost.append(f"the worktree's uncommitted changes could not be read: {error}")
            return None
        self.lost += [f"left out: {reason}" for reason in snapshot.left_out]
        committed = self._call("rev-parse", f"{head}^{{tree}}", ok=None).text.strip()
        return None if snapshot.tree == committed else snapshot

    def _host_head(self, place: Place) -> str:
        argv = hardened(place.admin, "rev-parse", "HEAD^{commit}")
        return proc.start(argv, env=self.env, cwd="/").result().text.strip()

    def _parents(self, head: str | None, main: str | None) -> list[str]:
        """A snapshot stands on what was checked out, and on the branch, should that be elsewhere."""
        if main is not None and head is not None and main != head and self._is_ancestor(main, head):
            return [head]
        return [oid for oid in dict.fromkeys([head, main]) if oid is not None]

    def _commit(self, snapshot: Snapshot, parents: list[str]) -> str:
        count = len(snapshot.changes.modified) + len(snapshot.changes.untracked)
        message = (
            f"Uncommitted work of session {self.session.name}\n\n{count} paths differed from the branch.\n"
        )
        return self._commit_tree(snapshot.tree, parents, message)

    def _commit_tree(self, tree: str, parents: Iterable[str], message: str) -> str:
        words = [word for parent in parents for word in ("-p", parent)]
        return self._call("commit-tree", tree, *words, stdin=message.encode("utf-8", "replace")).text.strip()

    def _is_ancestor(self, first: str, second: str) -> bool:
        return self._call("merge-base", "--is-ancestor", first, second, ok=(0, 1)).status == 0

    def _only_here(self, candidates: Mapping[str, str]) -> set[str]:
        """Which of the commits nothing else in the user's repository holds."""
        asked = sorted(set(candidates.values()))
        if not asked:
            return set()
        checked = self._call(
            "cat-file", "--batch-check", stdin="".join(f"{oid}^{{commit}}\n" for oid in asked).encode()
        )
        commits: dict[str, str] = {}
        for oid, line in zip(asked, checked.text.splitlines(), strict=True):
            fields = line.split(" ")
            if len(fields) == 3 and fields[1] == "commit":
                commits[oid] = fields[0]
            else:
                self.lost.append(f"inside, a ref names {oid}, which is not there or no commit")
        alone = self._alone(list(commits.values()))
        return {oid for oid, commit in commits.items() if commit in alone}

    def _alone(self, commits: list[str]) -> set[str]:
        """As `_only_here`, for commits that exist; a history with holes is looked at tip by tip."""
        if not commits:
            return set()
        stdin = "".join(f"{oid}\n" for oid in commits).encode()
        answer = self._call("rev-list", "--stdin", *beside(self.session), stdin=stdin, ok=None)
        if answer.status == 0:
            return set(answer.text.split()) & set(commits)
        if len(commits) == 1:
            self.lost.append(f"inside, the history of {commits[0]} is incomplete")
            return set()
        half = len(commits) // 2
        return self._alone(commits[:half]) | self._alone(commits[half:])

    def _gathered(self, kept: Mapping[str, str]) -> dict[str, str]:
        """One ref for very many: commits whose parents are the tips, chained, the names in their messages."""
        main = kept.get("")
        rest = [(label, oid) for label, oid in kept.items() if label]
        chain: list[str] = []
        for start in range(0, len(rest), _PARENTS):
            part = rest[start : start + _PARENTS]
            message = "Refs of a deleted session\n\n" + "".join(f"{oid} {label}\n" for label, oid in part)
            parents = list(dict.fromkeys([*chain, *(oid for _, oid in part)]))
            empty = self._call("mktree", "--missing").text.strip()
            chain = [self._commit_tree(empty, parents, message)]
        found = {"": main} if main else {}
        return found | {"more": chain[0]}

    def _record(self, kept: Mapping[str, str]) -> tuple[str, ...]:
        """Give each a ref. A set that an earlier session of the name left is not touched: the new one is numbered;
        one that a killed delete made of the very same commits is found again."""
        words = ("for-each-ref", "--format=%(objectname) %(refname)", "refs/clauderon/rescue")
        for _ in range(20):
            present = parse_refs(
                proc.start(hardened(self.common_dir, *words), env=self.env, cwd="/").result().stdout
            )
            generation = 1
            while True:
                refs = {self._ref(label, generation): oid for label, oid in kept.items()}
                if all(self._agrees(present.get(ref), oid) for ref, oid in refs.items()):
                    break
                generation += 1
            missing: list[Change] = [(ref, oid, None) for ref, oid in refs.items() if ref not in present]
            try:
                if missing:
                    update_refs(self.common_dir, missing, self.environ)
            except BackendError as error:
                raise error
            except ClauderonError:
                continue  # another delete took the name meanwhile
            return tuple(refs)
        raise BackendError(f"rescue {self.session.name}", "no free name below refs/clauderon/rescue")

    def _ref(self, label: str, generation: int) -> str:
        number = "" if generation == 1 else f"+{generation}"
        return rescue_ref(self.session.name) + number + (f"+{label}" if label else "")

    def _agrees(self, present: str | None, oid: str) -> bool:
        if present is None or present == oid:
            return True
        # A snapshot made again differs in its date alone.
        first, second = (
            self._call("rev-parse", f"{name}^{{tree}}", f"{name}^@", ok=None) for name in (present, oid)
        )
        return first.status == second.status == 0 and first.stdout == second.stdout

    def _call(self, *words: str, stdin: bytes = b"", ok: tuple[int, ...] | None = (0,)) -> proc.Completed:
        """git in the user's repository, able to read the copies, writing new objects beside them."""
        side = host_side(self.home, self.session.id)
        (side.snapshot).mkdir(parents=True, exist_ok=True)
        env = {
            **untrusting(offline(self.env)),
            **_WHO,
            "GIT_OBJECT_DIRECTORY": str(side.snapshot),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": alternates(self.common_dir / "objects", side.objects),
        }
        argv = hardened(self.common_dir, *words)
        return proc.start(argv, env=env, cwd=side.root, stdin=stdin).result(timeout_s=_TIMEOUT_S, ok=ok)


def _labelled(wanted: Mapping[str, str]) -> dict[str, str]:
    """The same with labels that can be part of a ref name beside each other."""
    found: dict[str, str] = {}
    for number, (label, oid) in enumerate(sorted(wanted.items())):
        plain = "".join(char if char in _LABEL_CHARS else "_" for char in label)
        clash = plain in found or any(
            name and (name.startswith(f"{plain}/") or plain.startswith(f"{name}/")) for name in found
        )
        too_long = len(plain) > 180
        found[f"more/{number}" if label and (clash or too_long) else plain] = oid
    return found
