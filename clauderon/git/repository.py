"""What a session needs to know of the user's repository, read once with a handful of git processes side by side.

Reads only; whatever cannot carry a session is refused here, before anything exists.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from clauderon import proc
from clauderon.errors import CommandFailed, Conflict, UsageError
from clauderon.git.alternates import object_dirs
from clauderon.git.batch import Batch, parse_batch, tree_entries
from clauderon.git.environment import HARDENED, environment
from clauderon.git.notes import notes, refuse_linked_packs
from clauderon.git.personal import attributes_files, excludes_file
from clauderon.git.quiet import quiet_config
from clauderon.git.settings import Remote as Remote
from clauderon.git.settings import parse_settings
from clauderon.names import branch_problem
from clauderon.paths import OUR_HOOKS, OUR_PATHS

READ_TIMEOUT_S = 60.0
# Its mode in a tree object.
_DIRECTORY = b"40000"
_REV_PARSE = (
    *("--is-bare-repository", "--is-inside-git-dir", "--is-shallow-repository", "--show-object-format"),
    *("--absolute-git-dir", "--git-common-dir", "--show-cdup", "--symbolic-full-name", "HEAD"),
)


class Repository(NamedTuple):
    """The user's repository. Paths are absolute with symlinks resolved; commits are full object names.

    top:         the checkout's top level; None for a bare repository.
    git_dir:     this checkout's git directory (in a linked worktree not the common one).
    objects:     object directories, the repository's own first, then its alternates.
    head, head_branch: what HEAD names; head_branch is None when HEAD is detached.
    base_commit: the commit the session starts from.
    dirty:       the checkout has changes to tracked files that no commit holds.
    partial:     a partial clone: missing objects are fetched from `promisor` when first needed.
    tracks:      which of `.claude.json`, `.clauderon` and `.clauderon/hooks` the base commit has itself.
    hooks_path:  core.hooksPath as written; a relative one lies in the tree, where the container writes.
    attributes_files, excludes_file: the person's own, outside the repository, the weakest first.
    checkout:    settings that decide how files look on disk (`core.autocrlf`, ...).
    notes:       what a person should know before working on it here, in sentences.
    env:         the environment for git, as `environment` makes it.
    quiet:       a configuration that switches off what a tree could choose to run (`quiet_config`).
    """

    top: Path | None
    git_dir: Path
    common_dir: Path
    objects: tuple[Path, ...]
    object_format: str
    bare: bool
    shallow: bool
    partial: bool
    submodules: bool
    lfs: bool
    head: str
    head_branch: str | None
    base_commit: str
    dirty: bool
    remotes: tuple[Remote, ...]
    user_name: str
    user_email: str
    filters: tuple[str, ...]
    tracks: frozenset[str] = frozenset()
    hooks_path: str = ""
    attributes_files: tuple[Path, ...] = ()
    excludes_file: Path | None = None
    promisor: str = ""
    promisor_filter: str = ""
    checkout: Mapping[str, str] = MappingProxyType({})
    notes: tuple[str, ...] = ()
    env: Mapping[str, str] = MappingProxyType({})
    quiet: str = ""

    def __repr__(self) -> str:
        """Without the environment, which may hold secrets: this ends in tracebacks."""
        return f"Repository({str(self.path)!r}, base_commit={self.base_commit!r})"

    @property
    def path(self) -> Path:
        """Where a person would say the repository is."""
        return self.top or self.common_dir


def repository_read(
    path: Path,
    environ: Mapping[str, str],
    base: str | None = None,
    *,
    branch: str | None = None,
) -> Repository:
    """Read the repository that `path` is in.

    base:   any name git has for a commit; None for HEAD.
    branch: the branch a session wants to create; Conflict if the name is taken.
    Raises UsageError for what is no repository, has no commit, has no such base or cannot carry a session,
    BackendError when git itself fails.
    """
    _check_words(path, base)
    env = environment(environ)
    words = _objects_wanted(base, branch)
    status = ("status", "--porcelain", "-z", "--untracked-files=no", "--ignore-submodules=all")
    running = [
        proc.start(["git", *argv], env=env, cwd=path, stdin=stdin)
        for argv, stdin in (
            (("rev-parse", *_REV_PARSE), b""),
            (("config", "--list", "-z"), b""),
            (
                ("cat-file", "--batch"),
                "".join(f"{word}\n" for word in words).encode("utf-8", "surrogateescape"),
            ),
            ((*HARDENED, *status), b""),
        )
    ]
    try:
        rev_parse, config, cat_file, changed = (
            child.result(ok=None, timeout_s=READ_TIMEOUT_S) for child in running
        )
    except BaseException:
        for child in running:
            child.stop()
        raise
    place = _parse_place(path, rev_parse)
    if config.status or cat_file.status:
        failed = config if config.status else cat_file
        raise CommandFailed(failed.argv, failed.status, failed.stdout, failed.stderr)
    found, chosen = _branch_first(parse_batch(cat_file.stdout, len(words)), base)
    head, base_commit = _commits(place.shown, found, base)
    if branch is not None:
        _check_branch(branch, found)
    objects = object_dirs(place.common_dir / "objects")
    refuse_linked_packs(objects)
    settings = parse_settings(config.stdout)
    attributes = found[_ATTRIBUTES]
    lfs = attributes is not None and b"filter=lfs" in attributes[2]
    submodules = found[_GITMODULES] is not None
    said = (*chosen, *notes(settings, lfs=lfs, submodules=submodules, env=env))
    if changed.status and not place.bare:
        # For example a filter that is not installed. That is no reason not to make a worktree.
        said += (f"Your checkout's own changes could not be looked at: {changed.error_text}",)
    return Repository(
        top=place.top,
        git_dir=place.git_dir,
        common_dir=place.common_dir,
        objects=objects,
        object_format=place.object_format,
        bare=place.bare,
        shallow=place.shallow,
        partial=bool(settings.promisor),
        submodules=submodules,
        lfs=lfs,
        head=head,
        head_branch=place.head_branch,
        base_commit=base_commit,
        dirty=bool(changed.stdout),
        remotes=settings.remotes,
        user_name=settings.user_name or env.get("GIT_AUTHOR_NAME", ""),
        user_email=settings.user_email or env.get("GIT_AUTHOR_EMAIL", ""),
        filters=settings.filters,
        tracks=_tracked(place, found[_OURS], found[_OURS + 1]),
        hooks_path=settings.hooks_path,
        attributes_files=attributes_files(settings.attributes_file, env, place.top or place.git_dir),
        excludes_file=excludes_file(settings.excludes_file, env, place.top or place.git_dir),
        promisor=settings.promisor,
        promisor_filter=settings.promisor_filter,
        checkout=settings.checkout,
        notes=said,
        env=env,
        quiet=quiet_config(settings),
    )


def remotes_read(path: Path, environ: Mapping[str, str]) -> tuple[Remote, ...]:
    """The remotes of the user's repository, as git's configuration has them now. Raises BackendError."""
    argv = ["git", "config", "--list", "-z"]
    child = proc.start(argv, env=environment(environ), cwd=path)
    return parse_settings(child.result(timeout_s=READ_TIMEOUT_S).stdout).remotes


# Places in the list of objects asked for.
_HEAD, _BASE, _GITMODULES, _ATTRIBUTES, _OURS, _BRANCHES = 0, 1, 2, 3, 4, 6


def _in_the_way(place: _Place, path: str) -> UsageError:
    return UsageError(
        f"repository {place.shown}",
        f"it tracks a file called {path}, and a session needs a directory of that name",
        hint=f"git -C '{place.shown}' mv {path} OTHER",
    )


def _tracked(place: _Place, claude_json: Batch | None, directory: Batch | None) -> frozenset[str]:
    """Which of our paths are the repository's own. Raises UsageError where we could not mount beside it."""
    own = {OUR_PATHS[0]} if claude_json is not None else set()
    if directory is not None:
        _, kind, content = directory
        if kind != "tree":
            raise _in_the_way(place, OUR_PATHS[1])
        own.add(OUR_PATHS[1])
        oid_bytes = 32 if place.object_format == "sha256" else 20
        modes = {name: mode for mode, name, _ in tree_entries(content, oid_bytes)}
        if b"hooks" in modes:
            own.add(OUR_HOOKS)
        if modes.get(b"uploads", _DIRECTORY) != _DIRECTORY:
            raise _in_the_way(place, f"{OUR_PATHS[1]}/uploads")
    return frozenset(own)


def _objects_wanted(base: str | None, branch: str | None) -> list[str]:
    words = ["HEAD^{commit}", *_start_words(base or "HEAD")]
    if branch is not None:
        # `a/b` cannot be created beside a branch `a`.
        parts = branch.split("/")
        words += ["refs/heads/" + "/".join(parts[:count]) for count in range(len(parts), 0, -1)]
    return [*words, *_start_words(f"refs/heads/{base}")] if _may_be_branch(base) else words


def _start_words(start: str) -> list[str]:
    found = [f"{start}^{{commit}}", f"{start}:.gitmodules", f"{start}:.gitattributes"]
    return found + [f"{start}:{name}" for name in OUR_PATHS]


def _may_be_branch(base: str | None) -> bool:
    """Whether `base` begins with what may be a branch's name (`main~2`), which git takes for a tag's first."""
    name = re.split(r"[~^:]|@\{", base or "", maxsplit=1)[0]
    # `HEAD`, `FETCH_HEAD` and the like, and whole object names, are no branch whatever else is called so.
    other = name.endswith("HEAD") or re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", name)
    return branch_problem(name) is None and not other


def _branch_first(found: list[Batch | None], base: str | None) -> tuple[list[Batch | None], tuple[str, ...]]:
    """What was found, with the branch's answers in place of a tag's of the same name; and a sentence about it."""
    if base is None or not _may_be_branch(base):
        return found, ()
    size = len(_start_words(base))
    found, rival = found[:-size], found[-size:]
    here = found[_BASE]
    if rival[0] is None or (here is not None and here[0] == rival[0][0]):
        return found, ()
    found[_BASE : _BASE + size] = rival
    said = f"{base} is a tag too; the session begins at the branch (at the tag: --base refs/tags/{base})."
    return found, (said,) if here is not None else ()


class _Place(NamedTuple):
    top: Path | None
    git_dir: Path
    common_dir: Path
    bare: bool
    shallow: bool
    object_format: str
    head_branch: str | None

    @property
    def shown(self) -> str:
        return str(self.top or self.common_dir)


def _parse_place(path: Path, answer: proc.Completed) -> _Place:
    lines = answer.text.split("\n")
    if len(lines) < 7:
        raise _not_a_repository(path, answer)
    bare, inside, shallow = (line == "true" for line in lines[:3])
    if inside and not bare:
        raise UsageError(
            f"repository {path}",
            "this is inside a .git directory",
            hint=f"clauderon create --repo {Path(lines[4]).parent} ...",
        )
    symbolic = lines[7] if len(lines) > 7 else ""
    head_branch = symbolic.removeprefix("refs/heads/") if symbolic.startswith("refs/heads/") else None
    git_dir, common = Path(os.path.realpath(lines[4])), Path(os.path.realpath(path / lines[5]))
    for directory in (git_dir, common):
        # A newline in a path would have cut a line in two.
        if not directory.is_dir():
            raise UsageError(
                f"repository {path}", "its path contains a newline, which git worktrees cannot record"
            )
    top = None if bare else Path(os.path.realpath(path / lines[6]))
    return _Place(top, git_dir, common, bare, shallow, lines[3], head_branch)


def _check_words(path: Path, base: str | None) -> None:
    if not path.is_dir():
        why = "it is not a directory" if path.exists() else "there is no such directory"
        raise UsageError(
            f"repository {ascii(str(path))[1:-1]}", why, hint="clauderon create --repo DIRECTORY ..."
        )
    if "\n" in os.path.realpath(path):
        raise UsageError(
            f"repository {ascii(str(path))[1:-1]}",
            "its path contains a newline, which git worktrees cannot record",
        )
    if base is not None and (not base.strip() or "\n" in base or "\0" in base):
        raise UsageError("--base", "it names no commit", hint="git log --oneline --all")


def _not_a_repository(path: Path, answer: proc.Completed) -> Exception:
    text = answer.error_text
    if "dubious ownership" in text:
        return UsageError(
            f"repository {path}",
            "git does not trust it: its files belong to another user",
            hint=f"git config --global --add safe.directory '{path}'",
            detail=text,
        )
    if "cannot use bare repository" in text:
        return UsageError(
            f"repository {path}",
            "it is bare, and safe.bareRepository = explicit keeps git from using it",
            hint="git config --global safe.bareRepository all   # or: --repo a checkout of it",
            detail=text,
        )
    if "not a git repository" in text:
        return UsageError(
            f"repository {path}",
            "it is not in a git repository",
            hint=f"git -C '{path}' init && git -C '{path}' commit --allow-empty -m 'Begin'",
        )
    return CommandFailed(answer.argv, answer.status or 1, answer.stdout, answer.stderr)


def _commits(shown: str, found: list[Batch | None], base: str | None) -> tuple[str, str]:
    head, start = found[_HEAD], found[_BASE]
    if head is None and start is None:
        raise UsageError(
            f"repository {shown}",
            "it has no commit yet, and a worktree begins at one",
            hint=f"git -C '{shown}' commit --allow-empty -m 'Begin'",
        )
    if start is None:
        raise UsageError(
            f"--base {ascii(base)[1:-1]}",
            f"{shown} has no such commit",
            hint=f"git -C '{shown}' log --oneline --all",
        )
    return (head or start)[0], start[0]


def _check_branch(branch: str, found: list[Batch | None]) -> None:
    parts = branch.split("/")
    for answer, count in zip(found[_BRANCHES:], range(len(parts), 0, -1), strict=False):
        if answer is not None:
            taken = "/".join(parts[:count])
            why = "it exists already" if taken == branch else f"a branch named {taken} is in the way"
            raise Conflict(
                f"branch {branch}", why, hint=f"git branch -m {taken} {taken}-before  # or: --branch OTHER"
            )
