"""`list` and `status`."""

# Without `from __future__ import annotations`: reading the command line would compile every annotation anew.

import os
import sys
import time
from collections.abc import Mapping
from typing import Annotated, Any

from clauderon.cells import Column
from clauderon.cli import common
from clauderon.cli.columns import STATES, Wanted, chosen, parse, table
from clauderon.cli.declared import Option
from clauderon.errors import UsageError
from clauderon.output import Output
from clauderon.session import query
from clauderon.session.context import Context

COLUMNS = (
    Column("name", "NAME"),
    Column("state", "STATE", STATES),
    Column("activity", "ACTIVITY", STATES),
    Column("agent", "AGENT"),
    Column("branch", "BRANCH"),
    Column("age", "AGE"),
    Column("image", "IMAGE"),
)
# For a person: the status of one that failed, the branch only where the name does not tell it, and what is marked. The
# last column gives way on a narrow terminal.
TABLE = (
    COLUMNS[0],
    Column("status", "STATE", STATES),
    Column("doing", "ACTIVITY", STATES),
    COLUMNS[3],
    Column("own_branch", "BRANCH", optional=True),
    COLUMNS[5],
    Column("mark", "MARK", {"unsafe": "red", "disk": "yellow", "unsafe, disk": "red"}, optional=True),
    COLUMNS[6],
)
WATCH_S = 1.0


def list_(
    archived: Annotated[bool, Option("--archived", "-a", help="Archived sessions too.")] = False,
    group: Annotated[
        str | None, Option("--group", metavar="GROUP", help="Only the sessions of this group.")
    ] = None,
    columns: Annotated[
        str | None, Option("--columns", metavar="A,B,...", help="Only these columns, in this order.")
    ] = None,
    sort: Annotated[
        str | None,
        Option("--sort", metavar="COLUMN", help="In this order; -COLUMN: the largest first."),
    ] = None,
    filter_: Annotated[
        list[str] | None,
        Option("--filter", metavar="COLUMN=VALUE", help="Only such; also !=, <, > and *; repeatable."),
    ] = None,
    watch: Annotated[
        bool, Option("--watch", "-w", help="Redraw every second until Ctrl-C; a bell calls you.")
    ] = False,
    names: Annotated[bool, Option("--names", help="Only the names, a line each.")] = False,
    format_: common.FormatOption = "table",
    json: common.JsonOption = False,
    null: common.NullOption = False,
    quiet: common.QuietOption = False,
) -> None:
    """List the sessions.

    docs/looking.md has the columns. For cpu and mem, docker measures a second or two.

    Example: clauderon list --columns name,state,cost,last --filter state=waiting
    """
    out = common.speak(format_, json, quiet, null)
    if names and columns is not None:
        hint = "clauderon list --format tsv --columns name"
        raise UsageError("list", "--names and --columns exclude each other", hint=hint)
    if names and out.format == "table":
        out.format = "tsv"
    wanted = parse("name" if names else columns, sort, filter_ or ())
    with common.opened() as context:
        if watch:
            _watch(context, out, wanted, archived, group)
        _print(context, out, wanted, archived, group)


def _print(context: Context, out: Output, wanted: Wanted, archived: bool, group: str | None) -> None:
    rows = chosen(_rows(context, out, wanted, archived), wanted)
    if group is not None:
        rows = [row for row in rows if row["group"] == group]
    empty = 'No sessions. hint: clauderon create --repo . --prompt "Fix the bug"'
    if wanted.filters or group is not None:
        empty = "No session is like that. hint: clauderon list"
    machine = out.format == "tsv" or out.null
    if out.json or not wanted.columns:
        out.records(rows, COLUMNS if machine else TABLE, empty=empty)
        return
    cells, shown = table(rows, wanted.columns, person=not machine)
    out.records(cells, shown, empty=empty)


def _rows(context: Context, out: Output, wanted: Wanted, archived: bool) -> list[Mapping[str, Any]]:
    """As much of each session as is asked for; nothing asks docker twice, or git, that need not."""
    needs = wanted.needs
    if not needs and not out.json:
        return [view.row() for view in query.list_sessions(context, archived=archived)]
    from clauderon.session.overview import overview

    work = out.json or "work" in needs
    found = overview(context, archived=archived, stats="stats" in needs, work=work)
    now = time.time()
    return [one.row(now) for one in found]


def _watch(context: Context, out: Output, wanted: Wanted, archived: bool, group: str | None) -> None:
    from clauderon.session.calls import Calls

    term = os.environ.get("TERM", "")
    drawn = sys.stdout.isatty() and out.format == "table" and term != "dumb"
    calls = Calls(context.home, group)
    while True:
        if drawn:
            out.text("\x1b[H\x1b[2J")
        _print(context, out, wanted, archived, group)
        called = calls.read()
        if drawn and called:
            out.text(_bell(called, term))
        time.sleep(WATCH_S)


def _bell(called: list[str], term: str) -> str:
    """A bell, and a notification of the desktop's (OSC 9, for rxvt OSC 777) where the terminal may know one.

    A terminal that knows no such sequence prints nothing of it. The Linux console and screen may; tmux passes none on.
    """
    if term.startswith(("linux", "screen", "tmux")):
        return "\a"
    start = "777;notify;clauderon;" if term.startswith("rxvt") else "9;clauderon: "
    return "".join(f"\x1b]{start}{text}\a" for text in called) + "\a"


def status(
    name: common.NameArgument,
    stats: Annotated[
        bool, Option("--stats", help="CPU and memory too: docker measures for a second or two.")
    ] = False,
    format_: common.FormatOption = "table",
    json: common.JsonOption = False,
    quiet: common.QuietOption = False,
) -> None:
    """Show one session: its container, its branch, what is committed and what is not.

    Example: clauderon status fix-bug --json | jq .data.ahead
    """
    out = common.speak(format_, json, quiet)
    with common.opened() as context:
        from clauderon.session.overview import more_of

        view, row = query.status(context, name)
        out.record({**row, **more_of(context, view, row, stats=stats)})
