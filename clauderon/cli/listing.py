"""`list` and `status`."""

# Without `from __future__ import annotations`, which has typer compile every annotation anew at each start.

import os
import sys
import time
from typing import Annotated

import typer

from clauderon.cells import Column
from clauderon.cli import common
from clauderon.output import Output
from clauderon.session import query
from clauderon.session.context import Context

_STATES = {
    "running": "green",
    "done": "cyan",
    "failed": "red",
    "timed-out": "red",
    "stopped": "dim",
    "interrupted": "red",
    "missing": "red",
    "orphan": "yellow",
    "creating": "yellow",
    "deleting": "yellow",
    "refreshing": "yellow",
}
COLUMNS = (
    Column("name", "NAME"),
    Column("state", "STATE", _STATES),
    Column("activity", "ACTIVITY", {"waiting": "yellow", "working": "green", "done": "cyan"}),
    Column("agent", "AGENT"),
    Column("branch", "BRANCH"),
    Column("age", "AGE"),
    Column("image", "IMAGE"),
)
# For a person: the status of one that failed, the branch only where the name does not tell it, and what is marked. The
# last column gives way on a narrow terminal.
TABLE = (
    COLUMNS[0],
    Column("status", "STATE", _STATES),
    *COLUMNS[2:4],
    Column("own_branch", "BRANCH", optional=True),
    COLUMNS[5],
    Column("mark", "MARK", {"unsafe": "red", "disk": "yellow", "unsafe, disk": "red"}, optional=True),
    COLUMNS[6],
)
WATCH_S = 1.0


def list_(
    archived: Annotated[bool, typer.Option("--archived", "-a", help="Archived sessions too.")] = False,
    group: Annotated[
        str | None, typer.Option("--group", metavar="GROUP", help="Only the sessions of this group.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Redraw every second until Ctrl-C.")] = False,
    names: Annotated[bool, typer.Option("--names", help="Only the names, a line each.")] = False,
    format_: common.FormatOption = "table",
    json: common.JsonOption = False,
    null: common.NullOption = False,
    quiet: common.QuietOption = False,
) -> None:
    """List the sessions.

    Example: clauderon list --format tsv | cut -f1,2
    """
    out = common.speak(format_, json, quiet, null)
    if names and out.format == "table":
        out.format = "tsv"
    columns = (COLUMNS[0],) if names else COLUMNS if out.format == "tsv" or null else TABLE
    with common.opened() as context:
        if watch:
            _watch(context, out, columns, archived, group)
        _print(context, out, columns, archived, group)


def _print(
    context: Context, out: Output, columns: tuple[Column, ...], archived: bool, group: str | None
) -> None:
    rows = [view.row() for view in query.list_sessions(context, archived=archived)]
    if group is not None:
        rows = [row for row in rows if row["group"] == group]
    out.records(rows, columns, empty='No sessions. hint: clauderon create --repo . --prompt "Fix the bug"')


def _watch(
    context: Context, out: Output, columns: tuple[Column, ...], archived: bool, group: str | None
) -> None:
    while True:
        if sys.stdout.isatty() and out.format == "table" and os.environ.get("TERM") != "dumb":
            out.text("\x1b[H\x1b[2J")
        _print(context, out, columns, archived, group)
        time.sleep(WATCH_S)


def status(
    name: common.NameArgument,
    format_: common.FormatOption = "table",
    json: common.JsonOption = False,
    quiet: common.QuietOption = False,
) -> None:
    """Show one session: its container, its branch, what is committed and what is not.

    Example: clauderon status fix-bug --json | jq .data.ahead
    """
    out = common.speak(format_, json, quiet)
    with common.opened() as context:
        out.record(query.status(context, name))
