"""What a session has done so far, as seen from the host: counts, a diff, and what is planted in the worktree.

Reads the user's repository and the worktree; changes neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from clauderon import paths, visible
from clauderon.airlock import byhand
from clauderon.airlock.disk import corrections
from clauderon.airlock.layout import admin_dir, beside, branch_ref, host_side
from clauderon.airlock.marked import whole_tree
from clauderon.airlock.private_refs import has_worktrees
from clauderon.airlock.snapshot import Changes, Place, changes, take
from clauderon.airlock.syncing import common_dir_of, locked
from clauderon.airlock.tree import planted
from clauderon.airlock.worktree_index import may_have_any
from clauderon.errors import BackendError
from clauderon.git.alternates import alternates
from clauderon.git.call import TIMEOUT_S, Completed, Git, apart_words, operand, parse_apart
from clauderon.git.environment import environment, offline
from clauderon.git.quiet import quiet_config
from clauderon.record import Session

if TYPE_CHECKING:
    from clauderon.airlock.autorun import Autorun
    from clauderon.airlock.linked import Linked
    from clauderon.airlock.submodule_work import Work

_DIFF_FILE_BYTES = 64 << 20


class State(NamedTuple):
    """A session's work.

    ahead, behind: commits only its branch has, and only its base has (after a rewrite).
    unmerged:      commits of the branch that no other branch, local or remote, has; None where it was not asked for.
    files:         paths that its commits changed; None where it was not asked for, or git cannot tell.
    modified, untracked: paths in the worktree that no commit holds; ignored ones do not count.
    submodules:    those of its submodules that hold work of the session.
    linked:        git worktrees inside, beside its own, that hold what no commit has.
    planted:       `.git` entries below the worktree, safe to print.
    """

    ahead: int
    behind: int
    unmerged: int | None
    modified: int
    untracked: int
    planted: tuple[str, ...]
    submodules: tuple[Work, ...] = ()
    linked: tuple[Linked, ...] = ()
    files: int | None = None

    @property
    def dirty(self) -> int:
        """Changed and untracked paths, those in submodules and the agent's own worktrees included."""
        elsewhere = sum(work.uncommitted for work in self.submodules)
        elsewhere += sum(tree.uncommitted for tree in self.linked)
        return self.modified + self.untracked + elsewhere


def state(
    home: paths.Home,
    session: Session,
    environ: Mapping[str, str],
    *,
    unmerged: bool = True,
    files: bool = False,
) -> State:
    """Look at a session's branch and worktree. Raises BackendError when the repository or the worktree is gone.

    unmerged, files: count these too.
    """
    place = place_of(home, session, environ)
    there: list[str] = []
    ref, git = branch_ref(session), Git(place.common_dir, place.env).offline()
    counting = git.start(*apart_words(session.base, ref))
    alone = git.start("rev-list", "--count", ref, *beside(session), "--") if unmerged else None
    listing = git.start(*changed_words(session.base, ref)) if files else None
    found = changes(place, lambda: there.extend(planted(place.worktree, place.admin)))
    with locked(host_side(home, session.id), session.name):
        works, trees = _elsewhere(home, session, place)
    behind, ahead = parse_apart(counting.result(timeout_s=TIMEOUT_S).text)
    return State(
        ahead=ahead,
        behind=behind,
        unmerged=int(alone.result(timeout_s=TIMEOUT_S).text) if alone else None,
        modified=len(found.modified),
        untracked=len(found.untracked),
        planted=tuple(visible.lines(path) for path in there),
        submodules=tuple(work for work in works if work.any),
        linked=tuple(trees),
        files=parse_changed(listing.result(ok=None, timeout_s=TIMEOUT_S)) if listing else None,
    )


def changed_words(old: str, new: str) -> tuple[str, ...]:
    """How to ask git for the paths that differ, one a line."""
    words = ("diff-tree", "-r", "--raw", "--no-renames", "--ignore-submodules=none")
    return (*words, operand(old), operand(new), "--")


def parse_changed(answer: Completed) -> int | None:
    """How many paths the answer to `changed_words` has, None for a failure."""
    return None if answer.status else sum(line.startswith(b":") for line in answer.stdout.splitlines())


def _elsewhere(home: paths.Home, session: Session, place: Place) -> tuple[list[Work], list[Linked]]:
    """Work in submodules and in the agent's own worktrees. Most sessions have neither, and pay for no import."""
    works: list[Work] = []
    trees: list[Linked] = []
    if may_have_any(home, session, place.admin):
        from clauderon.airlock.submodule_work import look

        works, _ = look(home, session, place.common_dir, place.env)
    if has_worktrees(home, session):
        from clauderon.airlock import linked

        trees = linked.look(home, session, place.common_dir, place.env)
    return works, trees


def unpushed(home: paths.Home, session: Session, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Sentences about submodules that the session's branch sets to commits which no remote is known to have."""
    common_dir = common_dir_of(session)
    if not may_have_any(home, session, admin_dir(common_dir, home.worktree(session.name))):
        return ()
    from clauderon.airlock.submodule_work import pointing

    env = environment(environ)
    with locked(host_side(home, session.id), session.name):
        return pointing(home, session, common_dir, env, session.base, branch_ref(session))


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
        tracks=frozenset(name for name in own if name in paths.OUR_PATHS),
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


class Difference(NamedTuple):
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
    from clauderon.airlock.autorun import brings
    from clauderon.airlock.changed import compared
    from clauderon.airlock.incoming import planted_between

    place = place_of(home, session, environ)
    side = host_side(home, session.id)
    with locked(side, session.name):
        env = offline(place.env)
        new = branch_ref(session)
        plain: list[bytes] = []
        left = Changes((), ()) if committed else changes(place, plain=plain.append)
        if left.any:
            names = Git(place.common_dir, env).text("rev-parse", f"{new}^{{commit}}", f"{new}^{{tree}}")
            head, tree = names.split()
            index = next((one for one in plain if whole_tree(one, place.oid_bytes) == tree), b"")
            new = take(
                place, side, head, file_bytes=_DIFF_FILE_BYTES, whole=False, found=left, index=index
            ).tree
            env["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = alternates(side.snapshot)
        words = diff_words(session.base, new, stat=stat, name_only=name_only, person=person)
        # In a directory of ours: git would read `.gitattributes` in its current directory.
        comparing = Git(place.common_dir, env, cwd=side.root).start(*words)
        try:
            with compared(place.common_dir, session.base, new, env) as changed:
                autorun = brings(place.common_dir, changed, env=env)
                found = planted_between(place.common_dir, changed, env=env)
        except BaseException:
            comparing.stop()
            raise
        output = comparing.result(timeout_s=TIMEOUT_S).stdout
    return Difference(output, autorun, found)
