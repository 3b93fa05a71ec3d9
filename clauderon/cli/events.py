"""`events`: what happened to sessions."""

# Without `from __future__ import annotations`: reading the command line would compile every annotation anew.

import time
from collections.abc import Iterable
from typing import Annotated, Any

from clauderon.cells import Column
from clauderon.cli import common
from clauderon.cli.declared import Option
from clauderon.events import Tail

_COLUMNS = (
    Column("time", "TIME", width=14),
    Column("event", "EVENT", width=8),
    Column("session", "SESSION", width=16),
    Column("what", "WHAT"),
)
_POLL_S = 0.3


def events(
    follow: Annotated[bool, Option("--follow", "-f", help="Go on with what happens from now on.")] = False,
    session: Annotated[str | None, Option("--session", metavar="NAME", help="Only this session.")] = None,
    format_: common.FormatOption = "table",
    json: common.JsonOption = False,
    quiet: common.QuietOption = False,
) -> None:
    """Print what happened to sessions, a line each. With --json, the lines as they were written.

    Events: create, start, waiting, done, failed, budget, stop, delete. docs/looking.md has their fields.

    Example: clauderon events --follow --json
    """
    out = common.speak(format_, json, quiet)
    home = common.home()
    tail = Tail(home, from_start=True)
    found = _of(session, tail.read())
    if session is not None and not found:
        common.refuse_unknown(home, session, "events", "no event is of it", follow=follow)
    out.head(_COLUMNS)
    while True:
        for event in found:
            out.item(event if out.json else _line(event, out.format == "tsv"), _COLUMNS)
        if not follow:
            return
        time.sleep(_POLL_S)
        found = _of(session, tail.read())


def _of(session: str | None, events: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in events if session is None or session in (each.get("session"), each.get("id"))]


def _line(event: dict[str, Any], machine: bool) -> dict[str, Any]:
    at = event.get("time")
    if not machine and isinstance(at, (int, float)):
        at = time.strftime("%m-%d %H:%M:%S", time.localtime(at))
    return {**event, "time": at, "what": _what(event)}


def _what(event: dict[str, Any]) -> str:
    kind = event["event"]
    if kind == "waiting":
        return f"for {event['waiting_for']}" if event.get("waiting_for") else ""
    if kind == "failed":
        return f"with status {event.get('exit_status')}"
    if kind == "budget":
        return f"${event.get('spent')} of ${event.get('limit')} ({event.get('budget')} {event.get('of')})"
    return ""
