"""What deleted sessions left in a repository: the refs below `refs/clauderon/rescue/`, listed, brought back, dropped.

Their commits passed the airlock when they were kept; git runs on the user's repository alone. Never changes a branch
that exists, and starts no program that a tree names.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from clauderon.airlock.autorun import Autorun, brings
from clauderon.airlock.changed import compared
from clauderon.airlock.layout import RESCUES, admin_dir
from clauderon.airlock.refs import Change, update_refs
from clauderon.errors import CommandFailed, Conflict
from clauderon.git.call import Git
from clauderon.git.environment import offline, without_filters

_FORMAT = "%(refname)%00%(objectname)%00%(creatordate:unix)%00%(contents:subject)%00%00"
_SUBJECT = 200
_COMMITS = 50
_NO_TREE = ("hash-object", "-t", "tree", "/dev/null")
_KINDS = {
    "": "work",
    "heads": "branch",
    "tags": "tag",
    "stash": "stash",
    "HEAD": "detached HEAD",
    "was": "former tip",
    "dropped": "dropped",
    "modules": "submodule",
    "worktrees": "worktree",
    "incoming": "incoming",
    "host": "branch",
}


class Rescued(NamedTuple):
    """A ref that keeps work. name: what is typed for it; group: that of all refs of the same deleted session.

    commit: the object it names (a tag's own). made_at: seconds since 1970. subject: the container's words.
    """

    name: str
    group: str
    kind: str
    ref: str
    commit: str
    made_at: int
    subject: str


class Looked(NamedTuple):
    """commits: those that no branch, remote branch or tag has, newest first, `(object name, subject)`; total: how many
    there are; files: `(path, lines added, lines removed)` against where it left HEAD, None for binary files."""

    commits: tuple[tuple[str, str], ...]
    total: int
    files: tuple[tuple[str, int | None, int | None], ...]


def rescued_refs(common_dir: Path, environ: Mapping[str, str]) -> list[Rescued]:
    """Every rescue ref of a repository, by name. Raises CommandFailed as git does."""
    answer = _git(common_dir, environ).call("for-each-ref", f"--format={_FORMAT}", RESCUES)
    return parse_rescued(answer.stdout.decode("utf-8", "surrogateescape"))


def parse_rescued(text: str) -> list[Rescued]:
    """Read `for-each-ref` in our format."""
    found = []
    for record in text.split("\0\0\n"):
        fields = record.split("\0")
        if len(fields) == 4 and fields[0].startswith(RESCUES):
            ref, oid, made, subject = fields
            name = ref.removeprefix(RESCUES)
            group, label = _parts(name)
            kind = _KINDS.get(label.partition("/")[0], "other refs")
            found.append(
                Rescued(name, group, kind, ref, oid, int(made or 0), " ".join(subject.split())[:_SUBJECT])
            )
    return found


def _parts(name: str) -> tuple[str, str]:
    """`fix+2+heads/x` in its group, `fix+2`, and its label, `heads/x`: `+` is in no session's name."""
    session, _, rest = name.partition("+")
    number, _, label = rest.partition("+")
    return (f"{session}+{number}", label) if number.isdigit() else (session, rest)


def look(common_dir: Path, commit: str, environ: Mapping[str, str]) -> Looked:
    """What a rescue brings. Raises CommandFailed, say where objects are missing."""
    git = _git(common_dir, environ)
    tip = peeled(common_dir, commit, environ)
    others = ("--not", "--branches", "--remotes", "--tags", "--")
    count = int(git.text("rev-list", "--count", tip, *others))
    log = ("log", f"--max-count={_COMMITS}", "--no-show-signature", "--format=%H%x00%s")
    listed = git.call(*log, tip, *others).text
    commits = [line.partition("\0") for line in listed.split("\n") if line]
    base = git.text("merge-base", "HEAD", tip, ok=None) or git.text(*_NO_TREE)
    words = ("diff-tree", "-r", "-z", "--numstat", "--no-renames", "--no-ext-diff", "--no-textconv")
    files = [line.split("\t", 2) for line in git.call(*words, base, tip, "--").text.split("\0") if line]
    return Looked(
        tuple((oid, subject[:_SUBJECT]) for oid, _, subject in commits),
        count,
        tuple((path, _number(added), _number(removed)) for added, removed, path in files),
    )


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def peeled(common_dir: Path, oid: str, environ: Mapping[str, str]) -> str:
    """The commit that an object is, or that a tag names."""
    return _git(common_dir, environ).text("rev-parse", "--verify", "--quiet", f"{oid}^{{commit}}")


def make_branch(common_dir: Path, branch: str, commit: str, environ: Mapping[str, str]) -> None:
    """A new branch at a commit. Raises Conflict where one of that name exists, or is in its way."""
    ref = f"refs/heads/{branch}"
    parts = branch.split("/")
    above = {"refs/heads/" + "/".join(parts[:count]) for count in range(1, len(parts) + 1)}
    git = _git(common_dir, environ)
    listed = git.call("for-each-ref", "--format=%(refname)", *sorted(above)).text.splitlines()
    taken = next((name for name in listed if name in above or name.startswith(f"{ref}/")), None)
    if taken is None:
        update_refs(common_dir, [(ref, commit, None)], environ)
        return
    why = "it exists already" if taken == ref else f"{taken.removeprefix('refs/heads/')} is in its way"
    raise Conflict(
        f"branch {branch}", why, hint="clauderon rescue restore NAME --branch OTHER   # a name that is free"
    )


def add_worktree(
    common_dir: Path, place: Path, commit: str, environ: Mapping[str, str], *, files: bool = True
) -> None:
    """A worktree of the user's at `place`, an absolute path, detached at a commit; no filter runs.

    files: write the commit's files, or leave the directory empty. Raises Conflict where something is there.
    """
    if os.path.lexists(place):
        raise Conflict(
            f"--worktree {place}", "it exists already", hint="clauderon rescue restore NAME --worktree OTHER"
        )
    git = Git.of(common_dir, environ)
    git = git.with_env(without_filters(offline(git.env), git.settings().filters))
    words = ("worktree", "add", "--quiet", "--detach", *(() if files else ("--no-checkout",)))
    try:
        git.write(*words, str(place), commit)
        if not files:
            # An index, so that what is put there shows as the change that it is.
            git.on(admin_dir(common_dir, place) or common_dir).call("read-tree", "HEAD")
    except BaseException:
        git.write("worktree", "remove", "--force", str(place), ok=None)
        raise


def autorun(common_dir: Path, commit: str, environ: Mapping[str, str]) -> tuple[Autorun, ...]:
    """What of a commit would run by itself and is not at your HEAD; nothing where there is no HEAD."""
    try:
        env = _git(common_dir, environ).env
        with compared(common_dir, "HEAD", commit, env) as found:
            return brings(common_dir, found, env=env)
    except CommandFailed:
        return ()


def drop(common_dir: Path, refs: Iterable[Rescued], environ: Mapping[str, str]) -> None:
    """Remove rescue refs, all or none. Raises Conflict when one of them is not where it was seen."""
    changes: Sequence[Change] = [(one.ref, None, one.commit) for one in refs]
    update_refs(common_dir, changes, environ)


def _git(common_dir: Path, environ: Mapping[str, str]) -> Git:
    return Git.of(common_dir, environ).offline()
