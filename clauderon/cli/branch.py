"""`sync`, `diff`, `merge`, `upload`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from clauderon import airlock
from clauderon.cells import Column
from clauderon.cli import common
from clauderon.cli.declared import Argument, Exit, Option
from clauderon.errors import EXIT_AUTORUN
from clauderon.grammar import counted
from clauderon.output import colored
from clauderon.session import collect
from clauderon.session.context import checkout_lock
from clauderon.session.delayed_progress import slow
from clauderon.session.lookup import find

AllowPlanted = Annotated[
    list[str] | None,
    Option(
        "--allow-planted",
        metavar="PATH",
        help="Carry the git repository planted at this path; may be repeated.",
    ),
]


CheckAutorun = Annotated[
    bool,
    Option("--check-autorun", help="End with status 7 if the branch brings what runs by itself."),
]


def sync(
    name: common.NameArgument,
    allow_planted: AllowPlanted = None,
    format_: common.FormatOption = "table",
    json: common.JsonOption = False,
    quiet: common.QuietOption = False,
) -> None:
    """Bring the session's commits to its branch in your repository.

    Runs by itself when the agent ends and, while the proxy is up, about a second after each commit.

    Example: clauderon sync fix-bug
    """
    out = common.speak(format_, json, quiet)
    with common.opened() as context:
        with slow(out, f"Bringing the commits of {name} over"):
            session, result = collect.sync(context, name, allowed=allow_planted or ())
        if result.outcome == "advanced":
            out.note(f"{session.branch}: {counted(result.commits, 'commit')}, now {(result.new or '')[:12]}")
        out.done(
            {
                "name": session.name,
                "branch": session.branch,
                "outcome": result.outcome,
                "old": result.old,
                "new": result.new,
                "commits": result.commits,
                "incoming": result.incoming,
            }
        )


def diff(
    name: common.NameArgument,
    stat: Annotated[bool, Option("--stat", help="Only how much changed in which file.")] = False,
    name_only: Annotated[bool, Option("--name-only", help="Only the changed files' names.")] = False,
    committed: Annotated[bool, Option("--committed", help="Show only what is committed.")] = False,
    check_autorun: CheckAutorun = False,
) -> None:
    """Show what the session changed since its start, committed or not.

    Example: clauderon diff fix-bug | git apply
    """
    out = common.speak()
    # Whoever pipes it has it byte for byte, for `git apply`.
    person = sys.stdout.isatty() or colored(sys.stdout)
    with common.opened() as context:
        session = find(context, name)
        with slow(out, f"Comparing {name}"):
            collect.sync_if_possible(context, session)
            found = airlock.diff(
                context.home,
                session,
                context.environ,
                stat=stat,
                name_only=name_only,
                committed=committed,
                person=person,
            )
        if person:
            from clauderon import patchview

            out.text(patchview.shown(found.patch, colored(sys.stdout)))
        else:
            out.raw(found.patch)
        for path in found.planted:
            out.warn(
                f"{name} plants a git repository at {path}: git run by you in there would run what it says"
            )
        if found.autorun:
            out.warn(airlock.autorun_said(name, found.autorun))
    if found.autorun and check_autorun:
        raise Exit(EXIT_AUTORUN)


def merge(
    name: common.NameArgument,
    message: Annotated[str | None, Option("--message", "-m", help="The merge commit's message.")] = None,
    squash: Annotated[bool, Option("--squash", help="One commit instead of the branch's own.")] = False,
    allow_planted: AllowPlanted = None,
    check_autorun: CheckAutorun = False,
    allow_autorun: Annotated[
        bool, Option("--allow-autorun", help="Merge it in spite of `[git] refuse_autorun`.")
    ] = False,
    format_: common.FormatOption = "table",
    json: common.JsonOption = False,
    quiet: common.QuietOption = False,
) -> None:
    """Merge the session's branch into the branch your checkout is on.

    Example: clauderon merge fix-bug
    """
    out = common.speak(format_, json, quiet)
    with common.opened(changing=True) as context:
        session = find(context, name)
        with slow(out, f"Merging {name}"):
            collect.sync(context, name, allowed=allow_planted or ())
            # Others may be merging into the same checkout, each in its turn.
            with checkout_lock(context, session):
                result = airlock.merge(
                    context.home,
                    session,
                    context.environ,
                    message=message,
                    squash=squash,
                    trusted=context.config.git.trusted_filters,
                    allowed=allow_planted or (),
                    refuse_autorun=check_autorun or (context.config.git.refuse_autorun and not allow_autorun),
                )
        out.note(result.text)
        for said in airlock.unpushed(context.home, session, context.environ):
            out.warn(said)
        if result.autorun:
            out.warn(airlock.autorun_said(session.branch, result.autorun))
        out.done(
            {
                "name": session.name,
                "into": result.into,
                "commit": result.commit,
                "changed": result.changed,
                "autorun": [found._asdict() for found in result.autorun],
            }
        )


def upload(
    name: common.NameArgument,
    files: Annotated[list[Path], Argument(metavar="FILE...", show_default=False)],
    format_: common.FormatOption = "table",
    json: common.JsonOption = False,
    null: common.NullOption = False,
    quiet: common.QuietOption = False,
) -> None:
    """Copy files (images, logs) to where the agent sees them; prints their paths in the container.

    Example: clauderon upload fix-bug screenshot.png
    """
    out = common.speak(format_, json, quiet, null)
    with common.opened(changing=True) as context:
        paths = collect.upload(context, name, files)
        if out.format == "table":
            out.format = "tsv"
        out.records([{"path": path} for path in paths], (Column("path", "PATH"),))
