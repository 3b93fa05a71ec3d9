"""What `top` shows of a session, as short texts; and one frame of it for a pipe. Knows no screen, asks nobody."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from clauderon import figures, visible
from clauderon.cells import Column
from clauderon.session.overview import Overview, totals

# What a person has to see to comes first.
_URGENT = ("waiting", "failed", "timed-out", "missing", "interrupted", "orphan")
_BUSY = ("working", "running", "creating", "refreshing", "deleting")
STYLES = {
    "waiting": "yellow", "working": "green", "running": "green", "done": "cyan", "failed": "red",
    "timed-out": "red", "missing": "red", "interrupted": "red", "orphan": "yellow", "creating": "yellow",
    "deleting": "yellow", "refreshing": "yellow", "stopped": "dim", "paused": "dim", "archived": "dim",
}  # fmt: skip
TRAFFIC_WIDTH = 8


class Shown(NamedTuple):
    """A column: its key and title, the columns it takes, the least width of the terminal that has room for it."""

    key: str
    title: str
    width: int
    least: int = 0


COLUMNS = (
    Shown("name", "NAME", 16),
    Shown("state", "STATE", 9),
    Shown("for", "FOR", 10, 80),
    Shown("cpu", "CPU%", 4, 50),
    Shown("memory", "MEM", 4, 56),
    Shown("traffic", "TRAFFIC", TRAFFIC_WIDTH, 66),
    Shown("requests", "REQ", 4, 96),
    Shown("refusals", "REFUSED", 7, 106),
    Shown("tokens", "TOKENS", 6, 72),
    Shown("cost", "COST", 7, 44),
    Shown("used", "USED", 4, 60),
    Shown("last", "LAST", 4, 80),
    Shown("ahead", "COMMITS", 7, 116),
    Shown("files", "FILES", 5, 124),
    Shown("agent", "AGENT", 8, 134),
)
ORDERS = ("need", "age", "cpu", "tokens", "cost", "name")


def columns(width: int, budgets: bool = True) -> list[Shown]:
    """Those that a terminal of that width has room for. budgets: whether any session has one."""
    return [column for column in COLUMNS if column.least <= width and (budgets or column.key != "used")]


def name_width(width: int, budgets: bool = True) -> int:
    """What the others leave to the names, within reason; a column's gap and a scroll bar are counted."""
    rest = width - 1 - sum(column.width + 1 for column in columns(width, budgets)[1:])
    return max(8, min(rest - 1, 40))


def any_budget(found: Iterable[Overview]) -> bool:
    """Whether any of these sessions is bound by a budget."""
    return any(one.budgets for one in found)


def style(key: str, words: Mapping[str, str]) -> str:
    """How a cell is painted. words: the texts of its row."""
    if key == "state":
        return STYLES.get(words["state"], "")
    if key == "used" and words["used"]:
        percent = int(words["used"].removesuffix("%"))
        return "red" if percent >= 100 else "yellow" if percent >= 80 else ""
    return ""


def texts(one: Overview, traffic: Sequence[float] = (), now: float | None = None) -> dict[str, str]:
    """Each column's text for a session. traffic: bytes between looks, the newest last; without, the sum is shown."""
    asked, spent = one.asked, one.spent
    known = asked.bytes_up + asked.bytes_down
    last = one.last_activity
    return {
        "name": visible.line(one.view.session.name),
        "state": visible.line(one.word),
        "for": one.view.waiting_for or ("budget" if used_up(one) else ""),
        "cpu": f"{one.stats.cpu:.0f}" if one.stats else "",
        "memory": figures.short(one.stats.memory, 1024) if one.stats else "",
        "traffic": figures.bars(traffic, TRAFFIC_WIDTH) if traffic else figures.short(known, 1024),
        "requests": figures.short(asked.requests),
        "refusals": figures.short(asked.refusals) if asked.refusals else "",
        "tokens": figures.short(spent.tokens) if spent.tokens or spent.requests else "",
        "cost": figures.money(spent.nano / 1e9, spent.unpriced) if spent.requests else "",
        "used": figures.share(one.budgets[0].share) if one.budgets else "",
        "last": figures.ago((now or time.time()) - last) if last else "",
        "ahead": str(one.work.ahead) if one.work and one.work.ahead is not None else "",
        "files": str(one.work.files) if one.work and one.work.files is not None else "",
        "agent": visible.line(one.view.session.agent),
    }


def ordered(found: Iterable[Overview], order: str) -> list[Overview]:
    """need: what waits for a person first, then what works, then the rest; each as old as they are."""
    rows = list(found)
    if order == "need":
        return sorted(rows, key=_rank)
    if order == "cpu":
        return sorted(rows, key=lambda one: -(one.stats.cpu if one.stats else -1.0))
    if order == "tokens":
        return sorted(rows, key=lambda one: -one.spent.tokens)
    if order == "cost":
        return sorted(rows, key=lambda one: -one.spent.nano)
    if order == "name":
        return sorted(rows, key=lambda one: one.view.session.name)
    return rows


def _rank(one: Overview) -> int:
    return 0 if one.word in _URGENT or used_up(one) else 1 if one.word in _BUSY else 2


def used_up(one: Overview) -> bool:
    """Whether a budget keeps a session that is not done from its model."""
    return bool(one.budgets) and one.budgets[0].share >= 1 and one.word in (*_URGENT, *_BUSY)


def calling(before: Mapping[str, Overview], found: Iterable[Overview]) -> list[Overview]:
    """Those that a person is called for since the look before, by session id.

    One that has come to need a person or is done, and one of whose budget 80 % is spent now, or all of it.
    """
    known = [(last, one) for one in found if (last := before.get(one.view.session.id)) is not None]
    return [one for last, one in known if _is_news(last, one)]


def _is_news(last: Overview, one: Overview) -> bool:
    said = (last.word, last.view.waiting_for) != (one.word, one.view.waiting_for)
    return (said and one.word in (*_URGENT, "done")) or _level(one) > _level(last)


def _level(one: Overview) -> int:
    share = one.budgets[0].share if one.budgets else 0.0
    return (share >= 0.8) + (share >= 1)


def summary(found: Sequence[Overview]) -> str:
    """One line about all: `3 sessions | 4.1M tokens, $12.40 | 2 working, 1 done | 3.4k requests, 2 refused, 38MB`."""
    words: dict[str, int] = {}
    for one in ordered(found, "need"):
        words[one.word] = words.get(one.word, 0) + 1
    states = ", ".join(f"{count} {word}" for word, count in words.items())
    sums = totals(found)
    unpriced = sum(one.spent.unpriced for one in found)
    many = f"{len(found)} session{'' if len(found) == 1 else 's'}"
    passed = f"{figures.short(sums['requests'])} requests, {figures.short(sums['refusals'])} refused"
    used = f"{figures.short(sums['tokens'])} tokens, {figures.money(sums['cost'], unpriced)}"
    return " | ".join(
        (many, used, *([states] if states else []), f"{passed}, {figures.short(sums['bytes'], 1024)}B")
    )


def table(found: Sequence[Overview], width: int) -> tuple[list[Mapping[str, str]], list[Column]]:
    """Rows and columns of one frame, for `output.records`."""
    now = time.time()
    shown = [
        Column(c.key, c.title, STYLES if c.key == "state" else {}, optional=c.key in ("for", "used"))
        for c in columns(width, any_budget(found))
    ]
    return [texts(one, now=now) for one in ordered(found, "need")], shown
