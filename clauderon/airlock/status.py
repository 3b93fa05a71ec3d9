"""What a session has done so far, as seen from the host: counts, a diff, and what is planted in the worktree.

Reads the user's repository and the worktree; changes neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clauderon import paths
from clauderon.airlock import byhand, linked
from clauderon.airlock.autorun import Autorun, brings
from clauderon.airlock.carry import printable
from clauderon.airlock.disk import corrections
from clauderon.airlock.incoming import planted_between
from clauderon.airlock.layout import admin_dir, beside, branch_ref, host_side
from clauderon.airlock.linked import Linked
from clauderon.airlock.snapshot import Place, changes, take
from clauderon.airlock.submodule_work import Work, look, pointing
from clauderon.airlock.syncing import common_dir_of, locked
from clauderon.airlock.tree import planted
from clauderon.errors import BackendError
from clauderon.git.alternates import alternates
from clauderon.git.call import TIMEOUT_S, Git, apart_words, operand, parse_apart
from clauderon.git.environment import environment, offline
from clauderon.git.quiet import quiet_config
from clauderon.git.repository import OUR_PATHS
from clauderon.record import Session

_DIFF_FILE_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class State:
    """A session's work.

    ahead, behind: commits only its branch has, and only its base has (after a rewrite).
    unmerged:      commits of the branch that no other branch, local or remote, has.
    modified, untracked: paths in the worktree that no commit holds; ignored ones do not count.
    submodules:    those of its submodules that hold work of the session.
    linked:        git worktrees inside, beside its own, that hold what no commit has.
    planted:       `.git` entries below the worktree, safe to print.
    """

    ahead: int
    behind: int
    unmerged: int
    modified: int
    untracked: int
    planted: tuple[str, ...]
    submodules: tuple[Work, ...] = ()
    linked: tuple[Linked, ...] = ()

    @property
    def dirty(self) -> int:
        """Changed and untracked paths, those in submodules and the agent's own worktrees included."""
        elsewhere = sum(work.uncommitted for work in self.submodules)
        elsewhere += sum(tree.uncommitted for tree in self.linked)
        return self.modified + self.untracked + elsewhere


def state(home: paths.Home, session: Session, environ: Mapping[str, str]) -> State:
    """Look at a session's branch and worktree. Raises BackendError when the repository or the worktree is gone."""
    place = place_of(home, session, environ)
    there: list[str] = []
    ref, git = branch_ref(session), Git(place.common_dir, place.env).offline()
    counting = git.start(*apart_words(session.base, ref))
    unmerged = git.start("rev-list", "--count", ref, *beside(session), "--")
    found = changes(place, lambda: there.extend(planted(place.worktree, place.admin)))
    with locked(host_side(home, session.id), session.name):
        works, _ = look(home, session, place.common_dir, place.env)
        trees = linked.look(home, session, place.common_dir, place.env)
    behind, ahead = parse_apart(counting.result(timeout_s=TIMEOUT_S).text)
    return State(
        ahead=ahead,
        behind=behind,
        unmerged=int(unmerged.result(timeout_s=TIMEOUT_S).text),
        modified=len(found.modified),
        untracked=len(found.untracked),
        planted=tuple(printable(path) for path in there),
        submodules=tuple(work for work in works if work.any),
        linked=tuple(trees),
    )


def unpushed(home: paths.Home, session: Session, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Sentences about submodules that the session's branch sets to commits which no remote is known to have."""
    env = environment(environ)
    with locked(host_side(home, session.id), session.name):
        return pointing(home, session, common_dir_of(session), env, session.base, branch_ref(session))


def place_of(home: paths.Home, session: Session, environ: Mapping[str, str]) -> Place:
    """How git is called on this session's worktree. Raises BackendError when it is not a worktree any more."""
    common_dir = common_dir_of(session)
    worktree = home.worktree(session.name)
    admin = admin_dir(common_dir, worktree)
    if admin is None or not worktree.is_dir():
        raise BackendError(
            f"session {session.name}",
            f"{worktree} is no longer a worktree of {session.repo}",
            hint=f"clauderon delete {session.name}",
        )
    env = environment(environ)
    # As this worktree sees it: an include may depend on the branch or the directory.
    settings = Git(admin, env).settings()
    byhand.follow(host_side(home, session.id).by_hand, quiet_config(settings))
    tracked = host_side(home, session.id).tracks
    own = tracked.read_text(encoding="ascii").splitlines() if tracked.exists() else ()
    return Place(
        common_dir=common_dir,
        admin=admin,
        worktree=worktree,
        env=env,
        filters=settings.filters,
        disk=corrections(settings.checkout, home.root),
        tracks=frozenset(name for name in own if name in OUR_PATHS),
        oid_bytes=len(session.base) // 2,
    )


def diff_words(old: str, new: str, *, stat: bool, name_only: bool, person: bool) -> tuple[str, ...]:
    """Plumbing, so that the output is a patch whatever `diff.*` the user has set; between two trees, so that no
    file, attribute or repository of the worktree is looked at."""
    words = ["diff-tree", "-r", "-M", "--no-ext-diff", "--no-textconv", "--submodule=short"]
    words.append("--ignore-submodules=none")
    if stat:
        words += ["--stat"]
    elif name_only:
        words += ["--name-only"]
    else:
        words += ["-p"] if person else ["-p", "--binary", "--full-index"]
    return (*words, operand(old), operand(new), "--")


@dataclass(frozen=True, slots=True)
class Difference:
    """What a session changed. patch: git's output. autorun: what runs by itself. planted: paths of repositories."""

    patch: bytes
    autorun: tuple[Autorun, ...]
    planted: tuple[str, ...]


def diff(
    home: paths.Home,
    session: Session,
    environ: Mapping[str, str],
    *,
    stat: bool = False,
    name_only: bool = False,
    committed: bool = False,
    person: bool = False,
) -> Difference:
    """What the session changed since its base, committed or not (untracked files too), for `git apply`.

    committed: leave out what no commit holds. person: for reading, without what only `git apply` needs.
    """
    place = place_of(home, session, environ)
    side = host_side(home, session.id)
    with locked(side, session.name):
        env = offline(place.env)
        new = branch_ref(session)
        if not committed:
            head = Git(place.common_dir, env).text("rev-parse", f"{new}^{{commit}}")
            new = take(place, side, head, file_bytes=_DIFF_FILE_BYTES, whole=False).tree
            env["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = alternates(side.snapshot)
        words = diff_words(session.base, new, stat=stat, name_only=name_only, person=person)
        # In a directory of ours: git would read `.gitattributes` in its current directory.
        comparing = Git(place.common_dir, env, cwd=side.root).start(*words)
        try:
            autorun = brings(place.common_dir, session.base, new, env=env)
            found = planted_between(place.common_dir, session.base, new, env=env)
        except BaseException:
            comparing.stop()
            raise
        output = comparing.result(timeout_s=TIMEOUT_S).stdout
    return Difference(output, autorun, found)
