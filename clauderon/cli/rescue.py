"""`rescue list`, `rescue show`, `rescue restore`, `rescue drop`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

from clauderon.cells import Column
from clauderon.cli import common
from clauderon.cli.declared import Argument, Option
from clauderon.session import rescues
from clauderon.session.query import age_text
from clauderon.session.rescues import Found

RescueArgument = Annotated[
    str, Argument(metavar="RESCUE", help="Its name, from `rescue list`.", show_default=False)
]
RepoOption = Annotated[
    Path | None,
    Option("--repo", metavar="DIR", help="Only this repository. Default: all that are known."),
]
COLUMNS = (
    Column("name", "NAME"),
    Column("kind", "KIND"),
    Column("age", "AGE"),
    Column("commit", "COMMIT"),
    Column("repo", "REPOSITORY"),
    Column("subject", "SUBJECT"),
)
_ID = 12


def _row(found: Found) -> dict[str, Any]:
    one = found.rescued
    return {
        "name": one.name,
        "kind": one.kind,
        "age": age_text(time.time() - one.made_at),
        "commit": one.commit,
        "repo": found.repo,
        "subject": one.subject,
        "ref": one.ref,
        "made_at": one.made_at,
        "path": str(found.aside.path) if found.aside else None,
    }


def list_(
    repo: RepoOption = None,
    format_: common.FormatOption = "table",
    json: common.JsonOption = False,
    null: common.NullOption = False,
    quiet: common.QuietOption = False,
) -> None:
    """List what deleted sessions left, in this repository and all others that sessions were on.

    Example: clauderon rescue list
    """
    out = common.speak(format_, json, quiet, null)
    with common.opened() as context:
        rows = [_row(found) for found in rescues.list_rescues(context, repo)]
    if out.format == "table" and not null:
        rows = [{**row, "commit": row["commit"][:_ID]} for row in rows]
    out.records(rows, COLUMNS, empty="No rescues. Deleted sessions left no work that is nowhere else.")


def show(
    name: RescueArgument,
    repo: RepoOption = None,
    format_: common.FormatOption = "table",
    json: common.JsonOption = False,
    quiet: common.QuietOption = False,
) -> None:
    """Show the commits and files that a rescue brings, and the other refs of the same session.

    Example: clauderon rescue show fix-bug
    """
    out = common.speak(format_, json, quiet)
    with common.opened() as context:
        every = rescues.matching(context, name, repo)
        aside = every[0].aside
        looked = rescues.look(context, every[0]) if aside is None else None
    row = _row(every[0])
    if looked is None:
        out.record(_directory(every[0]))
        return
    commits = [{"commit": oid, "subject": subject} for oid, subject in looked.commits]
    files = [
        {"path": path, "added": added, "removed": removed, "binary": added is None}
        for path, added, removed in looked.files
    ]
    others = [one.rescued.name for one in every[1:]]
    restore_ = f"clauderon rescue restore '{row['name']}'"
    if out.json:
        out.record(
            {
                **row,
                "commits": looked.total,
                "newest": commits,
                "files": files,
                "others": others,
                "restore": restore_,
            }
        )
        return
    said = [f"{one['commit'][:_ID]} {one['subject']}" for one in commits]
    out.record(
        {
            **{key: row[key] for key in ("name", "kind", "age", "ref", "commit", "repo")},
            "commits": looked.total,
            **{f"commit_{number}": text for number, text in enumerate(said, 1)},
            "files": len(files),
            **{f"file_{number}": _changed(one) for number, one in enumerate(files[:50], 1)},
            "others": " ".join(others),
            "restore": restore_,
        }
    )


def _directory(found: Found) -> dict[str, Any]:
    """What there is to say of a directory: why, where, and how to read it."""
    row, aside = _row(found), found.aside
    assert aside is not None
    parts = [part for part in ("worktree", "inside", "git", "home") if (aside.path / part).is_dir()]
    git = f"git --git-dir='{aside.path}/git' log --all" if aside.session and "git" in parts else ""
    return {
        **{key: row[key] for key in ("name", "kind", "age", "path", "repo")},
        "holds": " ".join(parts),
        "reasons": list(aside.reasons),
        "history": git,
        "restore": f"clauderon rescue restore '{row['name']}' --worktree DIR",
    }


def _changed(file: dict[str, Any]) -> str:
    return f"{file['path']} " + ("binary" if file["binary"] else f"+{file['added']} -{file['removed']}")


def restore(
    name: RescueArgument,
    branch: Annotated[
        str | None,
        Option("--branch", metavar="BRANCH", help="As a new branch. Default: rescue/RESCUE."),
    ] = None,
    worktree: Annotated[
        Path | None, Option("--worktree", metavar="DIR", help="In a new git worktree, at its commit.")
    ] = None,
    into: Annotated[
        str | None,
        Option("--into", metavar="SESSION", help="As a branch inside a session, for its agent to merge."),
    ] = None,
    repo: RepoOption = None,
    format_: common.FormatOption = "table",
    json: common.JsonOption = False,
    quiet: common.QuietOption = False,
) -> None:
    """Bring a rescue back. It is kept besides, until `clauderon rescue drop`.

    Example: clauderon rescue restore fix-bug --branch fix-bug-again
    """
    out = common.speak(format_, json, quiet)
    with common.opened(changing=into is not None) as context:
        done = rescues.restore(context, name, repo, branch=branch, worktree=worktree, into=into)
        said = rescues.autorun(context, done)
    out.note(f"{done.kind} {done.where}: {done.commit[:_ID]}. Next: {done.merge}")
    if said:
        out.warn(said)
    out.done(
        {
            "name": done.found.rescued.name,
            "kind": done.kind,
            "where": done.where,
            "commit": done.commit,
            "repo": done.found.repo,
            "next": done.merge,
        }
    )


def drop(
    name: RescueArgument,
    yes: common.YesOption = False,
    repo: RepoOption = None,
    format_: common.FormatOption = "table",
    json: common.JsonOption = False,
    quiet: common.QuietOption = False,
) -> None:
    """Remove a rescue for good; the name of a session means all refs that it left.

    Example: clauderon rescue drop fix-bug
    """
    out = common.speak(format_, json, quiet)
    with common.opened() as context:
        dropped = rescues.drop(context, name, repo, force=yes, confirm=out.confirm)
    for found in dropped:
        one = found.rescued
        if found.aside is not None:
            continue
        out.note(
            f"{one.name} was {one.commit}. To undo: git -C '{found.repo}' update-ref {one.ref} {one.commit}"
        )
    out.done([{"name": one.rescued.name, "commit": one.rescued.commit, "repo": one.repo} for one in dropped])
