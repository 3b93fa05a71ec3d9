"""What a session did in its submodules: commits that no remote has, stashes, uncommitted files.

Looks only; the copies it makes are in our own directory. `rescuing` keeps what is found here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clauderon import paths, visible
from clauderon.airlock.dropped import Traces, dropped, traces
from clauderon.airlock.layout import HostSide, admin_dir, branch_ref
from clauderon.airlock.private_refs import Inside
from clauderon.airlock.removal import remove_tree
from clauderon.airlock.shadow import mirror, place, shadow_side, shallow_file
from clauderon.airlock.snapshot import Place, changes, take
from clauderon.airlock.submodules import Submodule, find, opened_inside
from clauderon.airlock.tree import open_up, planted
from clauderon.airlock.workbench import Workbench
from clauderon.airlock.worktree_index import may_have_any
from clauderon.errors import ClauderonError
from clauderon.git.call import Git, operand
from clauderon.record import Session


@dataclass(slots=True)
class Work:
    """One submodule. `path` is safe to print.

    tips:    what names commits there that only the session has, by label: `HEAD`, `heads/main`, `stash/0`.
    commits: commits that only the session has. place: how to look at its files; None when there are none.
    unseen:  why it could not be looked at, or not at all of it.
    """

    path: str
    side: HostSide
    tips: dict[str, str] = field(default_factory=dict)
    commits: tuple[str, ...] = ()
    stashes: int = 0
    uncommitted: int = 0
    head: str | None = None
    place: Place | None = None
    traces: Traces = field(default_factory=Traces)
    unseen: list[str] = field(default_factory=list)

    @property
    def any(self) -> bool:
        """Whether the submodule has anything that only the session has, or that could not be read."""
        return bool(self.commits or self.stashes or self.uncommitted or self.unseen)


def gitlinks(common_dir: Path, commit: str, env: Mapping[str, str]) -> dict[str, str]:
    """The submodules of a commit: path to the commit it names."""
    git = Git(common_dir, env).offline()
    answer = git.call("ls-tree", "-r", "-z", "--full-tree", operand(commit), ok=None)
    found = (line.partition("\t") for line in answer.text.split("\0") if line.startswith("160000 "))
    return {path: words.split(" ")[2] for words, _, path in found}


def look(
    home: paths.Home, session: Session, common_dir: Path, env: Mapping[str, str]
) -> tuple[list[Work], list[str]]:
    """The work in every submodule that has a git directory inside; and what there is to say beside."""
    worktree = home.worktree(session.name)
    admin = admin_dir(common_dir, worktree)
    if not may_have_any(home, session, admin):
        return [], []
    links = {**gitlinks(common_dir, branch_ref(session), env), **gitlinks(common_dir, session.base, env)}
    found = find(home, session, planted(worktree, admin) if worktree.is_dir() else (), links)
    known = set(gitlinks(common_dir, session.base, env).values())
    works = [_one(home, session, each, common_dir, env, known) for each in found.submodules]
    return works, ["there are more submodules inside than are looked at"] if found.truncated else []


def _one(
    home: paths.Home,
    session: Session,
    submodule: Submodule,
    common_dir: Path,
    env: Mapping[str, str],
    known: set[str],
) -> Work:
    side = shadow_side(home, session, submodule)
    work = Work(visible.lines(submodule.label), side)
    remove_tree(side.snapshot)
    try:
        with opened_inside(home, session, submodule, len(session.base)) as inside:
            if inside is None:
                return work
            _tips(work, inside)
            work.unseen += mirror(side, inside, common_dir=common_dir, env=env, name=session.name)
        bench = workbench(work, common_dir, session, env)
        there = bench.existing([*work.tips.values(), *work.traces.fetched, *known])
        work.unseen += [
            f"{label} names {oid}, which is not there" for label, oid in work.tips.items() if oid not in there
        ]
        work.tips = {label: oid for label, oid in work.tips.items() if oid in there}
        fetched = [oid for oid in (*work.traces.fetched, *known) if oid in there]
        work.traces = Traces(work.traces.replaced, tuple(fetched))
        without = [f"^{oid}" for oid in fetched]
        alone = bench.beside("rev-list", "--stdin", stdin=[*work.tips.values(), *without]).split()
        work.tips = {label: oid for label, oid in work.tips.items() if oid in set(alone)}
        named = [oid for label, oid in work.tips.items() if not label.startswith("stash/")]
        work.stashes = len(work.tips) - len(named)
        if named:
            work.commits = tuple(bench.beside("rev-list", "--stdin", stdin=[*named, *without]).split())
        if work.head in there and submodule.path is not None:
            parts = tuple(submodule.path.split("/"))
            worktree = home.worktree(session.name)
            work.place = place(side, worktree, parts, work.head, common_dir=common_dir, env=env)
            found = changes(work.place)
            work.uncommitted = len(found.modified) + len(found.untracked)
    except (ClauderonError, OSError) as error:
        work.unseen.append(str(error))
    return work


def _tips(work: Work, inside: Inside) -> None:
    refs = inside.refs()
    on, detached = inside.head()
    work.head = detached or (inside.ref(on) if on else None)
    work.traces = traces(inside, refs)
    if work.head is not None:
        work.tips["HEAD"] = work.head
    for name, oid in sorted(refs.items()):
        if name.startswith("refs/heads/"):
            work.tips[name.removeprefix("refs/")] = oid
    stashes = dict.fromkeys([*filter(None, [refs.get("refs/stash")]), *inside.stashes()])
    work.tips |= {f"stash/{number}": oid for number, oid in enumerate(stashes)}
    if inside.is_reftable():
        work.unseen.append("its refs are in the reftable format, which is not read from outside")
    if inside.truncated:
        work.unseen.append("it has more refs than are read from outside")


def workbench(work: Work, common_dir: Path, session: Session, env: Mapping[str, str]) -> Workbench:
    """git in the user's repository, with this submodule's copies."""
    return Workbench(
        work.side, common_dir, session, {**env, "GIT_SHALLOW_FILE": str(shallow_file(work.side))}
    )


def pointing(
    home: paths.Home, session: Session, common_dir: Path, env: Mapping[str, str], old: str, new: str
) -> tuple[str, ...]:
    """Sentences about submodules that `new` sets to commits which no remote is known to have."""
    if not may_have_any(home, session, admin_dir(common_dir, home.worktree(session.name))):
        return ()
    words = ("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", "--ignore-submodules=none")
    answer = Git(common_dir, env).offline().call(*words, operand(old), operand(new), "--", ok=None)
    fields = answer.text.split("\0")
    changed = [
        (path, entry.split(" ")[3])
        for entry, path in zip(fields[::2], fields[1::2], strict=False)
        if entry.startswith(":") and entry.split(" ")[1] == "160000"
    ]
    if not changed:
        return ()
    works, _ = look(home, session, common_dir, env)
    alone = {oid for work in works for oid in work.commits}
    known = {
        oid
        for work in works
        for oid in workbench(work, common_dir, session, env).existing(oid for _, oid in changed)
    }
    said = []
    for path, oid in changed:
        if oid in alone or oid not in known:
            who = "only the session has" if oid in alone else "nothing here has"
            what = f"submodule {visible.lines(path)!a} is set to commit {oid[:12]}, which {who}"
            said.append(f"{what}: push it from inside, or others cannot check it out")
    return tuple(said)


@dataclass(slots=True)
class Keep:
    """What a delete is to keep of the submodules: commits by label, where their objects are, what cannot be kept."""

    tips: dict[str, str] = field(default_factory=dict)
    sources: list[Path] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def keep(home: paths.Home, session: Session, common_dir: Path, env: Mapping[str, str]) -> Keep:
    """Look at the submodules for good: what is uncommitted becomes a commit, what nothing names is looked for."""
    works, said = look(home, session, common_dir, env)
    found = Keep(lost=said)
    for work in works:
        found.lost += [f"submodule {work.path}: {why}" for why in work.unseen]
        try:
            tips = _kept(work, common_dir, session, env, found.lost)
        except (ClauderonError, OSError) as error:
            found.lost.append(f"submodule {work.path}: {error}")
            continue
        found.tips |= {f"modules/{work.path}/{label}": oid for label, oid in tips.items()}
        found.sources += [work.side.objects, work.side.snapshot]
    return found


def _kept(
    work: Work, common_dir: Path, session: Session, env: Mapping[str, str], lost: list[str]
) -> dict[str, str]:
    bench = workbench(work, common_dir, session, env)
    tips = {"work" if label == "HEAD" else label: oid for label, oid in work.tips.items()}
    held = [*work.tips.values(), *([work.head] if work.head else [])]
    if work.uncommitted and work.place is not None and work.head is not None:
        open_up(work.place.worktree)
        snapshot = take(work.place, work.side, work.head)
        lost += [f"left out: {work.path}: {reason}" for reason in snapshot.left_out]
        if snapshot.tree != bench.tree(work.head):
            message = f"Uncommitted work of session {session.name} in {work.path}\n"
            tips["work"] = bench.commit_tree(snapshot.tree, [work.head], message)
            held.append(tips["work"])
    seen = work.traces
    left = dropped(
        bench, session, work.side.objects, traces=seen, held=held, lost=lost, below=[*seen.fetched]
    )
    return tips | {f"dropped/{number}": oid for number, oid in enumerate(left)}
