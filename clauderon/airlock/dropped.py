"""Commits inside that nothing names any more: made detached, left by a reset, a dropped stash. Which of them are work?

Looks at every commit among the verified copies; judges, carries nothing. Let go is what went on in another form: what
an amend or a rebase replaced, and what brings nothing that is not kept elsewhere.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clauderon.airlock.private_refs import Inside
from clauderon.airlock.workbench import Workbench
from clauderon.errors import CommandFailed
from clauderon.record import Session

# Beyond these nothing is judged: of so many commits all are kept, and of more than are looked at the directory is.
MOST = 10_000
MOST_JUDGED = 500
_BRANCHES = 200
_DAY_S = 86400
_REPLACED = re.compile(
    rb"commit \(amend\)|rebase finished|rebase(?: -i)? \((?:finish|squash|fixup|reword|edit|continue|amend)\)"
    rb"|pull\b.* \(finish\)"
)


@dataclass(frozen=True, slots=True)
class Traces:
    """What the logs inside say, for whatever it is worth: only what is to be let go hangs on it.

    replaced: a commit that an amend or a rebase replaced, and by which. fetched: what came from a remote.
    """

    replaced: Mapping[str, str] = field(default_factory=dict)
    fetched: tuple[str, ...] = ()


def traces(inside: Inside, refs: Mapping[str, str]) -> Traces:
    """Read the logs of HEAD, of the branches and of what follows remotes. refs: as `Inside.refs` has them."""
    replaced = dict[str, str]()
    branches = [name for name in refs if name.startswith("refs/heads/")]
    for name in ("HEAD", *branches[:_BRANCHES]):
        for old, new, message in inside.log(name):
            if old != new and _REPLACED.match(message):
                replaced[old] = new
    remotes = [name for name in refs if name.startswith("refs/remotes/")]
    fetched = dict.fromkeys([*(refs[name] for name in remotes), *inside.fetch_head()])
    for name in remotes[:_BRANCHES]:
        fetched.update(dict.fromkeys(oid for old, new, _ in inside.log(name) for oid in (old, new)))
    return Traces(replaced, tuple(fetched))


@dataclass(frozen=True, slots=True)
class _Commit:
    oid: str
    tree: str
    parents: tuple[str, ...]
    time: int


def dropped(
    bench: Workbench,
    session: Session,
    copies: Path,
    *,
    traces: Traces,
    held: Sequence[str],
    lost: list[str],
    below: Sequence[str] | None = None,
) -> list[str]:
    """The commits to keep, newest first; their ancestors need no ref.

    copies: where loose objects among the verified copies are. held: commits that are kept anyway.
    below:  commits that what is kept begins at; the session's base when None.
    lost:   gets a reason when not all could be looked at.
    """
    try:
        found = _nameless(bench, session, traces, held)
        if not found:
            return []
        if len(found) > MOST:
            lost.append(f"inside, there are more than {MOST} commits that nothing names")
            return []
        below = [session.base] if below is None else below
        return _Judge(bench, session, copies, traces, held, below, found).kept()
    except CommandFailed as error:
        lost.append(f"inside, commits that nothing names could not be looked at: {error.detail}")
        return []


def _nameless(bench: Workbench, session: Session, traces: Traces, held: Iterable[str]) -> list[_Commit]:
    """Children before their parents, one more than `MOST` at the most."""
    copied = bench.copied_commits()
    # Some names in logs are of commits that are gone; git is to hear of those only that are there.
    known = bench.existing([*traces.fetched, *held])
    stdin = [*(oid for oid in copied if oid not in known), *(f"^{oid}" for oid in known)]
    if not copied:
        return []
    words = ("rev-list", "--topo-order", f"--max-count={MOST + 1}", "--format=%H %T %ct %P", "--stdin")
    answer = bench.beside(*words, stdin=stdin)
    lines = (line.split(" ") for line in answer.splitlines() if not line.startswith("commit "))
    return [
        _Commit(oid, tree, tuple(filter(None, parents)), int(time)) for oid, tree, time, *parents in lines
    ]


class _Judge:
    def __init__(
        self,
        bench: Workbench,
        session: Session,
        copies: Path,
        traces: Traces,
        held: Sequence[str],
        below: Sequence[str],
        found: Sequence[_Commit],
    ) -> None:
        self._bench = bench
        self._copies = copies
        self._replaced = traces.replaced
        self._found = found
        self._since = session.created_at - _DAY_S
        self._below = below
        self._held = held
        self._content: tuple[set[str], set[str]] | None = None

    def kept(self) -> list[str]:
        """Go through all of them, children first: the ancestors of one that is kept are kept, those of one that was
        replaced were replaced with it."""
        kept, below_kept, below_gone = list[str](), set[str](), set[str]()
        judged = itertools.count()
        for commit in self._found:
            if commit.oid in below_kept:
                below_kept.update(commit.parents)
            elif commit.oid in below_gone or self._went_on(commit):
                below_gone.update(commit.parents)
            elif next(judged) >= MOST_JUDGED or not self._is_held_elsewhere(commit):
                kept.append(commit.oid)
                below_kept.update(commit.parents)
        return kept

    def _went_on(self, commit: _Commit) -> bool:
        """Whether another commit took its place, or it is older than the session: fetched, in a pack, some time ago."""
        if self._replaced.get(commit.oid):
            return True
        loose = (self._copies / commit.oid[:2] / commit.oid[2:]).exists()
        return commit.time < self._since and not loose

    def _is_held_elsewhere(self, commit: _Commit) -> bool:
        """Whether its tree, or the content of each file that it brings, is in what is kept anyway.

        One that only takes files away brings none, and is work too.
        """
        trees, objects = self._kept_content()
        if commit.tree in trees:
            return True
        without = [f"^{parent}" for parent in commit.parents[:1]]
        brought = self._bench.objects([commit.oid, *without])
        blobs = {oid for oid, kind in self._bench.kinds(brought) if kind == "blob"}
        return bool(blobs) and blobs <= objects

    def _kept_content(self) -> tuple[set[str], set[str]]:
        if self._content is None:
            since = [*self._bench.existing(self._held), *(f"^{oid}" for oid in self._below)]
            words = ("rev-list", f"--max-count={MOST}", "--format=%T", "--stdin")
            lines = self._bench.call(*words, stdin="".join(f"{oid}\n" for oid in since).encode()).text
            trees = {line for line in lines.splitlines() if not line.startswith("commit ")}
            trees |= {self._bench.tree(oid) for oid in self._below[:_BRANCHES]}
            self._content = trees, self._bench.objects(since)
        return self._content
