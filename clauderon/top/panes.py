"""The three panes about the selected session, as text that drives nothing: requests, output, diff. Draws nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clauderon import figures, patchview, visible
from clauderon.errors import ClauderonError
from clauderon.screen import Screen, size_of
from clauderon.session.feed import Feed
from clauderon.session.overview import Overview

PANES = ("requests", "output", "diff")
_MOST_LINES = 500


class Pane:
    """One pane's lines. ansi: whether colours of ours are in them (`patchview`)."""

    def __init__(self, lines: list[str], *, ansi: bool = False) -> None:
        self.lines = lines
        self.ansi = ansi

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pane) and other.lines == self.lines

    __hash__ = None  # type: ignore[assignment]


def pane(feed: Feed, one: Overview, which: str) -> Pane:
    """What a pane shows of a session. Takes as long as docker or git do; never raises ClauderonError."""
    session = one.view.session
    try:
        if which == "requests":
            records = feed.requests(session.id)
            return Pane([request_line(record) for record in records] or ["no requests yet"])
        if which == "output":
            return Pane(
                output_lines(feed, session.name, running=one.view.state == "running") or ["no output yet"]
            )
        return _diff(feed, session.name)
    except ClauderonError as error:
        return Pane([visible.line(f"{error.what}: {error.why}")])


def request_line(record: Mapping[str, Any]) -> str:
    """`12:03:04 200 POST api.anthropic.com/v1/messages 1.2k`; a refused one says by which rule."""
    time = str(record.get("time", ""))[11:19]
    status = record.get("status") or "-"
    size = figures.short(_number(record.get("bytes_up")) + _number(record.get("bytes_down")), 1024)
    target = f"{record.get('host', '')}{record.get('path', '')}"
    text = f"{time} {status} {record.get('method', '')} {target} {size}"
    if record.get("refused"):
        text = f"{time} REFUSED ({record.get('rule', '')}) {record.get('method', '')} {target}"
    elif record.get("error"):
        text += f" {record['error']}"
    return visible.line(text)


def _number(value: object) -> float:
    return value if isinstance(value, int | float) else 0


def output_lines(feed: Feed, name: str, *, running: bool) -> list[str]:
    """The end of what an agent wrote to its terminal, as lines that drive nothing. Raises ClauderonError."""
    data = feed.output(name)
    if not data:
        return []
    size = feed.terminal_size(name) if running else None
    screen = Screen(*(size or size_of(data)))
    screen.feed(data)
    return [*screen.scrolled(), *screen.lines()][-_MOST_LINES:]


def _diff(feed: Feed, name: str) -> Pane:
    lines = patchview.shown(feed.patch(name), True).splitlines()
    if not lines:
        return Pane(["no changes yet"])
    more = len(lines) - _MOST_LINES
    said = [f"... {more} more lines: clauderon diff {name}"] if more > 0 else []
    return Pane([*lines[:_MOST_LINES], *said], ansi=True)
