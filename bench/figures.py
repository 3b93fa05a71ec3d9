"""Samples, their medians and the tables made of them. Pure; what is printed is the caller's to print."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Target:
    """ours / theirs (medians) against `ratio`: at most it, or at least it."""

    against: str
    ratio: float
    at_least: bool = False

    def met(self, ratio: float) -> bool:
        return ratio >= self.ratio if self.at_least else ratio <= self.ratio

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.ratio:g}x"


@dataclass(slots=True)
class Row:
    """One quantity, measured for several contenders.

    samples: per contender, one number a repetition, in `unit`.
    limit:   the most our own median may be, in `unit`, beside or instead of a ratio.
    others:  targets against further contenders.
    """

    title: str
    unit: str
    target: Target | None = None
    limit: float | None = None
    samples: dict[str, list[float]] = field(default_factory=dict)
    others: tuple[Target, ...] = ()

    def add(self, contender: str, value: float) -> None:
        self.samples.setdefault(contender, []).append(value)

    def median(self, contender: str) -> float | None:
        values = self.samples.get(contender)
        return statistics.median(values) if values else None

    def ratio(self, ours: str, target: Target | None = None) -> float | None:
        """Our median over the target's contender's (the first target's), or None where one of the two is missing."""
        target = target or self.target
        mine = self.median(ours)
        theirs = self.median(target.against) if target else None
        return None if mine is None or not theirs else mine / theirs

    def met(self, ours: str) -> bool | None:
        """Whether every target of this row is met; None if there is none, or nothing to compare."""
        verdicts: list[bool] = []
        for target in (*((self.target,) if self.target else ()), *self.others):
            ratio = self.ratio(ours, target)
            if ratio is not None:
                verdicts.append(target.met(ratio))
        mine = self.median(ours)
        if self.limit is not None and mine is not None:
            verdicts.append(mine <= self.limit)
        return all(verdicts) if verdicts else None


def shown(value: float) -> str:
    """Three significant digits, thousands apart."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def cell(values: Sequence[float] | None) -> str:
    """`median (least-most)`, or a dash for nothing."""
    if not values:
        return "-"
    text = shown(statistics.median(values))
    return text if len(values) == 1 else f"{text} ({shown(min(values))}-{shown(max(values))})"


def verdict(row: Row, ours: str) -> tuple[str, str]:
    """The last two columns: our ratio, and the targets with whether all are met."""
    ratio = row.ratio(ours)
    wanted = [str(row.target)] if row.target is not None else []
    for other in row.others:
        beside = row.ratio(ours, other)
        wanted += [f"{other} {other.against} ({beside:.2f}x)"] if beside is not None else []
    if row.limit is not None:
        wanted.append(f"≤ {row.limit:g} {row.unit}")
    met = row.met(ours)
    mark = "" if met is None else (" yes" if met else " NO")
    return ("" if ratio is None else f"{ratio:.2f}x", ", ".join(wanted) + mark)


def table(rows: Sequence[Row], contenders: Sequence[str], ours: str) -> str:
    """A Markdown table: a line per row, a column per contender, then the ratio and the target."""
    head = ["", *contenders, "ratio", "target"]
    body = [
        [
            f"{row.title}, {row.unit}",
            *(cell(row.samples.get(name)) for name in contenders),
            *verdict(row, ours),
        ]
        for row in rows
    ]
    widths = [max(len(line[i]) for line in [head, *body]) for i in range(len(head))]
    rule = ["-" * width for width in widths]
    lines = [
        "| " + " | ".join(t.ljust(w) for t, w in zip(line, widths, strict=True)) + " |"
        for line in (head, rule, *body)
    ]
    return "\n".join(lines)


def as_json(rows: Sequence[Row], ours: str) -> list[Mapping[str, Any]]:
    return [
        {
            "title": row.title,
            "unit": row.unit,
            "samples": row.samples,
            "medians": {name: row.median(name) for name in row.samples},
            "ratio": row.ratio(ours),
            "target": str(row.target) if row.target else None,
            "limit": row.limit,
            "met": row.met(ours),
        }
        for row in rows
    ]
