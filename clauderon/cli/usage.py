"""`usage`: what sessions used of models, and what it cost."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from clauderon.cells import Column
from clauderon.choices import one_of
from clauderon.cli import common
from clauderon.cli.declared import Argument, Option
from clauderon.errors import NoSuchSession, UsageError
from clauderon.ledger import SUMS, Ledger, Row, Window
from clauderon.output import Output

BY = ("session", "model", "day", "group")
_SPANS = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_COLUMNS = (
    Column("requests", "REQUESTS"),
    Column("input", "INPUT"),
    Column("cache_read", "CACHED"),
    Column("cache_written", "WRITTEN", optional=True),
    Column("output", "OUTPUT"),
    Column("shown_cost", "COST"),
    Column("unknown_shown", "UNKNOWN", optional=True),
)


def usage(
    names: Annotated[
        list[str] | None, Argument(metavar="[NAME]...", help="Only these sessions.", show_default=False)
    ] = None,
    by: Annotated[str, Option("--by", metavar="|".join(BY), help="What each line sums up.")] = "session",
    group: Annotated[
        str | None, Option("--group", metavar="GROUP", help="Only the sessions of this group.")
    ] = None,
    since: Annotated[
        str, Option("--since", metavar="TIME", help="As 12h, 7d or 2026-11-29; default: everything.")
    ] = "",
    format_: common.FormatOption = "table",
    json: common.JsonOption = False,
) -> None:
    """Show the requests, tokens and cost of sessions, as the models reported them.

    Deleted sessions are included. Costs are list prices; a model without a known price shows no cost.

    Example: clauderon usage --by model --since 7d
    """
    out = common.speak(format_, json)
    one_of(by, BY, "--by", "clauderon usage --by {}")
    home = common.home()
    start = _since(since)
    rows: list[Row] = []
    windows: list[Window] = []
    if home.usage.exists() or home.usage_journals.exists():
        with Ledger.open(home) as ledger:
            rows, windows = ledger.read(start)
    if names:
        for name in names:
            if not any(name in (row.name, row.session) for row in rows):
                raise NoSuchSession(
                    f"usage of {name}", "no session of this name asked a model", hint="clauderon usage"
                )
        rows = [row for row in rows if row.name in names or row.session in names]
    if group is not None:
        rows = [row for row in rows if row.team == group]
        if not rows:
            raise NoSuchSession(
                f"usage of group {group}", "no session of it asked a model", hint="clauderon usage --by group"
            )
    lines = _grouped(rows, by)
    if out.json:
        total = _line("total", "all", rows)
        data = {"rows": [_plain(line) for line in lines], "total": _plain(total)}
        out.value("", {**data, "windows": [window._asdict() for window in windows]})
        return
    if out.format == "table" and len(lines) > 1:
        lines.append(_line(by, "total", rows))
    out.records(lines, (Column(by, by.upper()), *_COLUMNS), empty="No model was asked yet.")
    _say_windows(out, windows)


def _since(text: str) -> float:
    """Seconds since the epoch of a span before now or of a day here; 0 for "". Raises UsageError."""
    if not text:
        return 0.0
    if match := re.fullmatch(r"([0-9]{1,6})([mhdw])", text):
        return time.time() - int(match[1]) * _SPANS[match[2]]
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise UsageError(
            f"--since {text}", "use a time as 12h, 7d or 2026-11-29", hint="clauderon usage --since 7d"
        ) from None


def _grouped(rows: Sequence[Row], by: str) -> list[dict[str, Any]]:
    """A line for each session, model, day or group; the dearest first, days in their order.

    What no group is known of is `-`, which no group is called.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        keys = {"session": row.name, "model": row.model or "unknown", "day": _day(row.hour)}
        key = row.team or "-" if by == "group" else keys[by]
        groups.setdefault(key, []).append(row)
    lines = [_line(by, key, members) for key, members in groups.items()]
    return sorted(
        lines, key=lambda line: line[by] if by == "day" else (-line["cost"], -line["output"], line[by])
    )


def _day(hour: int) -> str:
    return datetime.fromtimestamp(hour).strftime("%Y-%m-%d")


def _line(by: str, key: str, rows: Sequence[Row]) -> dict[str, Any]:
    """The sums of these rows. cost: US dollars, of the requests whose price is known."""
    line: dict[str, Any] = {
        by: key,
        **{one: sum(getattr(row, one) for row in rows) for one in SUMS},
    }
    line["cost"] = line.pop("nano") / 1e9
    line["models"] = sorted({row.model for row in rows if row.model})
    line["unpriced_models"] = sorted({row.model for row in rows if row.unpriced})
    line["cache_written"] = (line["cache_write"] + line["cache_write_1h"]) or ""
    line["unknown_shown"] = line["unknown"] or ""
    line["shown_cost"] = _money(line)
    return line


def _plain(line: dict[str, Any]) -> dict[str, Any]:
    """A line for programs: without what is for a table alone."""
    return {
        key: value
        for key, value in line.items()
        if key not in ("shown_cost", "unknown_shown", "cache_written")
    }


def _money(line: dict[str, Any]) -> str:
    if line["unpriced"] and not line["cost"]:
        return "no price"
    cost = line["cost"]
    text = f"${cost:.2f}" if cost >= 1 or not cost else f"${cost:.4f}"
    return f"{text} + no price" if line["unpriced"] else text


def _say_windows(out: Output, windows: Sequence[Window]) -> None:
    now = time.time()
    for window in windows:
        if window.resets_at and window.resets_at < now:
            continue
        reset = ""
        if window.resets_at:
            shape = "%H:%M" if window.resets_at - now < 86400 else "%a %H:%M"
            reset = f", resets {time.strftime(shape, time.localtime(window.resets_at))}"
        who = window.credential or window.api
        out.note(f"{who}: {window.used:.0%} of the {window.name} window used{reset}")
