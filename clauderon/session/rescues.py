"""`rescue`: the work that deleted sessions left, found across repositories, brought back, or dropped.

Which repositories: the one that is named, else the one around the current directory, those of sessions, and those
that `delete` noted. Decides what is meant; `airlock` does it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from clauderon import git, names, paths
from clauderon.airlock import aside, autorun_said, giving, remove_tree, rescues
from clauderon.airlock.aside import Aside
from clauderon.airlock.layout import RESCUES
from clauderon.airlock.rescue_refs import read_lines
from clauderon.airlock.rescues import Looked, Rescued
from clauderon.errors import ClauderonError, Conflict, NoSuchRescue, Refused, UsageError
from clauderon.record import Session
from clauderon.session.context import Context, lock, rescues_lock
from clauderon.session.foreign import refuse_foreign
from clauderon.session.lookup import find

_SHOWN = 8


class Found(NamedTuple):
    """A rescue ref, and the common git directory of the repository that has it; or a directory (`aside`).

    common_dir: of a directory, the repository it is from, or `Path()` where that is not known or gone.
    """

    common_dir: Path
    rescued: Rescued
    aside: Aside | None = None

    @property
    def repo(self) -> str:
        """Where a person would say the repository is."""
        if self.common_dir == Path():
            return ""
        return str(self.common_dir.parent if self.common_dir.name == ".git" else self.common_dir)


class Restored(NamedTuple):
    """kind: branch, worktree or session; where: its name or path; commit: where it is; merge: what to type next."""

    found: Found
    kind: str
    where: str
    commit: str
    merge: str


def note_repository(context: Context, session: Session) -> None:
    """Remember that this repository holds rescues: its sessions may soon all be gone."""
    place = _noted(context.home)
    with rescues_lock(context):
        if session.git_dir in read_lines(place):
            return
        place.parent.mkdir(mode=0o700, exist_ok=True)
        with place.open("a", encoding="utf-8", errors="surrogateescape") as file:
            file.write(f"{session.git_dir}\n")


def _forget_repositories(context: Context) -> None:
    """Remove the note once no repository in it has a rescue, and the directory once it is empty."""
    place = _noted(context.home)
    with contextlib.suppress(OSError, ClauderonError), rescues_lock(context):
        for one in map(Path, read_lines(place)):
            # One that is not there may be on a disk that is not mounted.
            if not (one / "objects").is_dir() or rescues.rescued_refs(one, context.environ):
                break
        else:
            place.unlink(missing_ok=True)
        place.parent.rmdir()


def _noted(home: paths.Home) -> Path:
    return home.root / "rescue" / "repositories"


def repositories(context: Context, repo: Path | None) -> list[Path]:
    """Common git directories to look into. Raises UsageError for a `repo` that is none, and Refused for one of the
    directories that agents write."""
    if repo is not None:
        if not repo.is_dir():
            raise UsageError(f"--repo {ascii(str(repo))[1:-1]}", "there is no such directory")
        refuse_foreign(context, repo)
        found = git.common_dir_at(repo, context.environ)
        if found is None:
            raise UsageError(f"--repo {ascii(str(repo))[1:-1]}", "it is not in a git repository")
        return [found]
    here = _here(context)
    known = [row.git_dir for row in context.store.all()] + read_lines(_noted(context.home))
    others = [Path(os.path.realpath(name)) for name in known if name and (Path(name) / "objects").is_dir()]
    return list(dict.fromkeys([*([here] if here else []), *others]))


def _here(context: Context) -> Path | None:
    try:
        place = Path.cwd()
        refuse_foreign(context, place)
    except (OSError, Refused):
        return None
    return git.common_dir_at(place, context.environ)


def list_rescues(context: Context, repo: Path | None = None) -> list[Found]:
    """Every rescue ref, the current repository's first, in each by name. One repository that fails is said."""
    found: list[Found] = []
    for common_dir in repositories(context, repo):
        try:
            found += [Found(common_dir, one) for one in rescues.rescued_refs(common_dir, context.environ)]
        except ClauderonError as error:
            context.report.warn(f"{common_dir}: {error}")
    return found + [one for one in map(_aside, aside.asides(context.home)) if _is_asked(context, one, repo)]


def _aside(one: Aside) -> Found:
    git_dir = Path(os.path.realpath(one.session.git_dir)) if one.session and one.session.git_dir else Path()
    common_dir = git_dir if (git_dir / "objects").is_dir() and one.session else Path()
    name, why = one.path.name, one.reasons[0] if one.reasons else ""
    return Found(common_dir, Rescued(name, name, "directory", "", "", one.made_at, why), one)


def _is_asked(context: Context, one: Found, repo: Path | None) -> bool:
    return repo is None or one.common_dir in (Path(), *repositories(context, repo))


def matching(context: Context, name: str, repo: Path | None = None) -> list[Found]:
    """The refs that `name` means: one ref, or all of the deleted session of that name, its main one first.

    Raises NoSuchRescue, and UsageError where several repositories have one of that name.
    """
    short = name.removeprefix(RESCUES).removeprefix(f"{context.home.root / 'rescue'}/")
    every = list_rescues(context, repo)
    exact = [one for one in every if one.rescued.name == short]
    group = [one for one in every if one.rescued.group == short]
    meant = sorted(group, key=lambda one: one.rescued.name != short) if group else exact
    if not meant:
        raise NoSuchRescue(
            f"rescue {ascii(name)[1:-1]}", "there is no rescue of this name", hint=_nearest(short, every)
        )
    places = list(dict.fromkeys(one.common_dir for one in meant))
    here = _here(context) if repo is None else None
    if len(places) > 1 and here not in places:
        repos = ", ".join(dict.fromkeys(one.repo for one in meant))
        raise UsageError(
            f"rescue {short}", f"several repositories have it: {repos}", hint=f"--repo '{meant[0].repo}'"
        )
    place = here if here in places else places[0]
    return [one for one in meant if one.common_dir == place]


def _nearest(name: str, every: Sequence[Found]) -> str:
    import difflib

    close = difflib.get_close_matches(name, [one.rescued.name for one in every], 1)
    return (
        f"clauderon rescue show {close[0]}   # did you mean this one?" if close else "clauderon rescue list"
    )


def one_of_them(found: Sequence[Found], name: str) -> Found:
    """The ref that is restored for a name: the one called so, or the only one. Raises UsageError for several."""
    short = name.removeprefix(RESCUES)
    if found[0].rescued.name == short or len(found) == 1 or found[0].aside is not None:
        return found[0]
    listed = ", ".join(one.rescued.name for one in found[:_SHOWN]) + (", ..." if len(found) > _SHOWN else "")
    raise UsageError(
        f"rescue {short}",
        f"it is several refs: {listed}",
        hint=f"clauderon rescue restore '{found[0].rescued.name}'",
    )


def look(context: Context, found: Found) -> Looked:
    """The commits and files of a rescue. Raises GitFailed."""
    return rescues.look(found.common_dir, found.rescued.commit, context.environ)


def restore(
    context: Context,
    name: str,
    repo: Path | None = None,
    *,
    branch: str | None = None,
    worktree: Path | None = None,
    into: str | None = None,
) -> Restored:
    """Bring a rescue back: as a branch (`rescue/NAME` where nothing is said), in a worktree, or into a session.

    The rescue itself stays. Raises NoSuchRescue, NoSuchSession, Conflict where the branch or the directory exists,
    and UsageError.
    """
    if sum(given is not None for given in (branch, worktree, into)) > 1:
        raise UsageError("rescue restore", "--branch, --worktree and --into exclude each other")
    if branch is not None:
        names.branch_named(branch, "--branch")
    session = find(context, into) if into is not None else None
    found = one_of_them(matching(context, name, repo), name)
    if found.aside is not None and found.common_dir == Path():
        found = found._replace(
            common_dir=next(iter(repositories(context, repo)[:1]), Path()) if repo else Path()
        )
    common_dir, rescued = found.common_dir, found.rescued
    if worktree is not None:
        place = Path(os.path.realpath(worktree))
        if found.aside is not None:
            commit = _files_back(context, found, found.aside, place)
            return Restored(found, "worktree", str(place), commit, f"cd '{place}'")
        commit = rescues.peeled(common_dir, rescued.commit, context.environ)
        rescues.add_worktree(common_dir, place, commit, context.environ)
        return Restored(found, "worktree", str(place), commit, f"git -C '{place}' status")
    if found.aside is None:
        commit = rescues.peeled(common_dir, rescued.commit, context.environ)
    elif common_dir == Path():
        raise UsageError(
            f"rescue restore {rescued.name}",
            "the repository it is from is not known, or gone",
            hint=f"clauderon rescue restore '{rescued.name}' --repo DIR   # or: --worktree DIR, for the files alone",
        )
    else:
        commit = aside.bring_history(found.aside, common_dir, context.environ)
    made = branch or f"rescue/{rescued.name.replace('+', '-')}"
    if session is not None:
        if Path(os.path.realpath(session.git_dir)) != common_dir:
            raise UsageError(
                f"--into {session.name}",
                f"that session is on another repository, {session.repo}",
                hint=f"clauderon rescue restore '{rescued.name}' --branch BRANCH",
            )
        with lock(context, session):
            giving.give_branch(context.home, session, made, commit)
        said = f"clauderon exec {session.name} -- git merge '{made}'"
        return Restored(found, "session", session.name, commit, said)
    rescues.make_branch(common_dir, made, commit, context.environ)
    return Restored(found, "branch", made, commit, f"git -C '{found.repo}' merge '{made}'")


def autorun(context: Context, done: Restored) -> str:
    """A sentence about what came back and would run by itself in a checkout; empty if nothing would."""
    if done.found.common_dir == Path() or not done.commit:
        return ""
    found = rescues.autorun(done.found.common_dir, done.commit, context.environ)
    return autorun_said(done.where, found) if found else ""


def _files_back(context: Context, found: Found, one: Aside, place: Path) -> str:
    """The files of a directory in a worktree on the history they are based on, as far as that can be carried.

    Where there is no repository they are but files, and the commit is empty.
    """
    if os.path.lexists(place):
        raise Conflict(
            f"--worktree {place}", "it exists already", hint="clauderon rescue restore NAME --worktree OTHER"
        )
    commit, common_dir = "", found.common_dir
    if common_dir != Path():
        try:
            commit = aside.bring_history(one, common_dir, context.environ)
        except ClauderonError as error:
            base = one.session.base if one.session else ""
            context.report.warn(f"{error}; the files are put on {base or 'no commit'}")
            commit = base
    if commit:
        rescues.add_worktree(common_dir, place, commit, context.environ, files=False)
    aside.copy_files(one, place)
    return commit


def drop(
    context: Context, name: str, repo: Path | None, *, force: bool, confirm: Callable[[str], bool]
) -> list[Found]:
    """Remove what `name` means for good. Raises Refused when the answer was no."""
    found = matching(context, name, repo)
    listed = ", ".join(one.rescued.name for one in found[:_SHOWN]) + (", ..." if len(found) > _SHOWN else "")
    if not force and not confirm(
        f"Drop {listed}{f' in {found[0].repo}' if found[0].repo else ''}? This work may exist nowhere else"
    ):
        raise Refused(
            f"rescue drop {name}",
            "this work may exist nowhere else",
            hint=f"clauderon rescue drop --yes '{name}'   # look first: clauderon rescue show '{name}'",
        )
    for one in found:
        if one.aside is not None:
            remove_tree(one.aside.path)
            _forget_repositories(context)
            return found
    try:
        rescues.drop(found[0].common_dir, [one.rescued for one in found], context.environ)
    except Conflict as error:
        raise Conflict(f"rescue drop {name}", error.why, hint="clauderon rescue list") from error
    _forget_repositories(context)
    return found
