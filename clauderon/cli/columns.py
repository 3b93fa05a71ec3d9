"""What `list` can show, sort by and filter by: each column with how a person and how a script reads it. Pure."""

from __future__ import annotations

import fnmatch
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from clauderon import figures
from clauderon.cells import Column, text_of
from clauderon.errors import UsageError

Row = Mapping[str, Any]
STATES = {
    "running": "green",
    "working": "green",
    "waiting": "yellow",
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
_MARKS = {"unsafe": "red", "disk": "yellow", "unsafe, disk": "red"}


def _count(field: str) -> Callable[[Row], str]:
    return lambda row: figures.short(row[field]) if row.get(field) is not None else ""


def _size(field: str) -> Callable[[Row], str]:
    return lambda row: figures.short(row[field], 1024) if row.get(field) is not None else ""


def _percent(row: Row) -> str:
    return f"{row['cpu_percent']:.0f}" if row.get("cpu_percent") is not None else ""


def _last(row: Row) -> str:
    return figures.ago(max(0.0, time.time() - row["last_activity"])) if row.get("last_activity") else ""


def _cost(row: Row) -> str:
    return figures.money(row["cost"], row["unpriced"]) if row.get("model_requests") else ""


def _budget(row: Row) -> str:
    return f"${row['budget']:.2f}" if row.get("budget") is not None else ""


def _used(row: Row) -> str:
    return figures.share(row["budget_used"]) if row.get("budget_used") is not None else ""


class Shown(NamedTuple):
    """A column. field: of the row, for scripts; person: how it is written in a table, None as it is.

    needs: what must be asked for it: "" for what `list` knows anyway, `counts`, `work`, or `stats`.
    """

    title: str
    field: str
    person: Callable[[Row], str] | None = None
    needs: str = ""
    styles: Mapping[str, str] = {}


COLUMNS: dict[str, Shown] = {
    "name": Shown("NAME", "name"),
    "state": Shown("STATE", "state", lambda row: str(row["status"]), styles=STATES),
    "activity": Shown("ACTIVITY", "activity", lambda row: str(row["doing"]), styles=STATES),
    "waiting_for": Shown("WAITING FOR", "waiting_for"),
    "agent": Shown("AGENT", "agent"),
    "branch": Shown("BRANCH", "branch"),
    "age": Shown("AGE", "age"),
    "image": Shown("IMAGE", "image"),
    "group": Shown("GROUP", "group"),
    "ahead": Shown("COMMITS", "ahead", needs="work"),
    "files": Shown("FILES", "files", needs="work"),
    "cpu": Shown("CPU%", "cpu_percent", _percent, "stats"),
    "mem": Shown("MEM", "memory_bytes", _size("memory_bytes"), "stats"),
    "requests": Shown("REQUESTS", "requests", _count("requests"), "counts"),
    "refusals": Shown("REFUSED", "refusals", _count("refusals"), "counts"),
    "input": Shown("INPUT", "input_tokens", _count("input_tokens"), "counts"),
    "cached": Shown("CACHED", "cached_tokens", _count("cached_tokens"), "counts"),
    "output": Shown("OUTPUT", "output_tokens", _count("output_tokens"), "counts"),
    "tokens": Shown("TOKENS", "tokens", _count("tokens"), "counts"),
    "cost": Shown("COST", "cost", _cost, "counts"),
    "budget": Shown("BUDGET", "budget", _budget),
    "used": Shown("USED", "budget_used", _used, "counts"),
    "last": Shown("LAST", "last_activity", _last, "counts"),
    "exit_status": Shown("STATUS", "exit_status"),
    "repo": Shown("REPO", "repo"),
    "base": Shown("BASE", "base"),
    "mode": Shown("MODE", "access_mode"),
    "network": Shown("NETWORK", "network"),
    "port": Shown("PORT", "port"),
    "disk": Shown("DISK", "disk_bytes", _size("disk_bytes")),
    "mark": Shown("MARK", "mark", styles=_MARKS),
    "id": Shown("ID", "id"),
    "container": Shown("CONTAINER", "container"),
    "created": Shown("CREATED", "created_at"),
}
_FILTER = re.compile(r"([a-z_]+)(!=|=|<|>)(.*)", re.DOTALL)


class Filter(NamedTuple):
    """One `--filter`. values: what is typed behind `=`, each perhaps with `*`; for `<` and `>` one number."""

    key: str
    sign: str
    values: tuple[str, ...]

    def holds(self, row: Row) -> bool:
        """Whether the row passes."""
        if self.sign in "<>":
            found = row.get(COLUMNS[self.key].field)
            if not isinstance(found, (int, float)):
                return False
            return found < float(self.values[0]) if self.sign == "<" else found > float(self.values[0])
        texts = {text_of(row.get(COLUMNS[self.key].field))}
        if self.key == "state":
            texts.add(
                str(row["activity"])
            )  # a session that runs is waiting or working, and so a person calls it
        matches = any(fnmatch.fnmatchcase(text, value) for text in texts for value in self.values)
        return matches == (self.sign == "=")


class Wanted(NamedTuple):
    """What was asked for. sort: a column, "" for the order of their making; falling: the largest first."""

    columns: tuple[str, ...]
    sort: str
    falling: bool
    filters: tuple[Filter, ...]

    @property
    def needs(self) -> frozenset[str]:
        """Of `Shown.needs`, what has to be asked."""
        keys = (*self.columns, *([self.sort] if self.sort else []), *(one.key for one in self.filters))
        return frozenset(COLUMNS[key].needs for key in keys) - {""}


def parse(columns: str | None, sort: str | None, filters: Iterable[str]) -> Wanted:
    """`--columns A,B`, `--sort A` or `-A`, and every `--filter`. Raises UsageError."""
    falling = bool(sort) and str(sort).startswith("-")
    order = (sort or "").removeprefix("-")
    names = (
        tuple(_known(name.strip(), "--columns") for name in columns.split(",")) if columns is not None else ()
    )
    return Wanted(
        names,
        _known(order, "--sort") if sort is not None else "",
        falling,
        tuple(_filter(text) for text in filters),
    )


def _filter(text: str) -> Filter:
    match = _FILTER.fullmatch(text)
    hint = "clauderon list --filter state=waiting"
    if match is None:
        why = "use COLUMN=VALUE, COLUMN!=VALUE, COLUMN>NUMBER or COLUMN<NUMBER"
        raise UsageError(f"--filter {text}", why, hint=hint)
    key, sign, value = _known(match[1], "--filter"), match[2], match[3]
    if sign in "<>":
        if not re.fullmatch(r"\d{1,15}(\.\d{1,9})?", value, re.ASCII):
            raise UsageError(
                f"--filter {text}", f"{value!r} is not a number", hint="clauderon list --filter 'cost>1'"
            )
        return Filter(key, sign, (value,))
    return Filter(key, sign, tuple(value.split(",")))


def _known(name: str, flag: str) -> str:
    if name in COLUMNS:
        return name
    import difflib

    close = difflib.get_close_matches(name, COLUMNS, 1)
    why = f"the nearest is {close[0]}" if close else f"known are {', '.join(COLUMNS)}"
    raise UsageError(
        f"{flag} {name}".rstrip(), f"no column is called that; {why}", hint="clauderon list --help"
    )


def chosen(rows: Iterable[Row], wanted: Wanted) -> list[Row]:
    """The rows that pass, in order. What has no value comes last, whichever way it is sorted."""
    found = [row for row in rows if all(one.holds(row) for one in wanted.filters)]
    if not wanted.sort:
        return found
    field = "created_at" if wanted.sort == "age" else COLUMNS[wanted.sort].field
    falling = wanted.falling != (
        wanted.sort == "age"
    )  # the oldest has the smallest time, and the greatest age
    valued = [row for row in found if row.get(field) not in (None, "")]
    valued.sort(key=lambda row: row[field], reverse=falling)
    return valued + [row for row in found if row.get(field) in (None, "")]


def table(rows: Sequence[Row], keys: Sequence[str], *, person: bool) -> tuple[list[Row], list[Column]]:
    """The cells of these columns, and the columns. person: short, as figures are read."""
    shown = [(key, COLUMNS[key]) for key in keys]
    cells = [
        {key: one.person(row) if person and one.person else row.get(one.field) for key, one in shown}
        for row in rows
    ]
    return list(cells), [Column(key, one.title, one.styles) for key, one in shown]
