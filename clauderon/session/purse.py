"""What sessions, groups and a day may spend on models, and what they have spent of it. Changes nothing."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from clauderon import limits, rights
from clauderon.ledger import Ledger, Row, midnight
from clauderon.record import Session
from clauderon.session.context import Context


class Budget(NamedTuple):
    """kind: session, group or day; who: its name, or today. limit, spent: billionths of a dollar, None for no limit.

    unpriced: models without a price that it used, whose cost nobody knows.
    """

    kind: str
    who: str
    limit: int | None
    spent: int
    unpriced: tuple[str, ...] = ()

    @property
    def left(self) -> int | None:
        """What may still be spent, None for no limit."""
        return None if self.limit is None else max(self.limit - self.spent, 0)

    @property
    def share(self) -> float:
        """How much of it is spent, 1.0 for all of it; 0.0 without a limit."""
        return self.spent / self.limit if self.limit else 0.0 if self.limit is None else 1.0

    def text(self) -> str:
        """`$4.31 of $5.00`, and whose it is where it is not the session's own."""
        of = "" if self.limit is None else f" of {limits.dollars_shown(self.limit)}"
        whose = "" if self.kind == "session" else " today" if self.kind == "day" else f" (group {self.who})"
        return f"{limits.dollars_shown(self.spent)}{of}{whose}"


def of(kind: str, who: str, text: str, rows: Iterable[Row]) -> Budget:
    """text: the limit as it is kept, empty for none. rows: what counts, of `Ledger.totals`."""
    limit = (limits.dollars(text) or 0) if text else None
    found = list(rows)
    spent = sum(row.nano + row.guessed for row in found)
    return Budget(kind, who, limit, spent, tuple(sorted({row.model for row in found if row.unpriced})))


def every(context: Context, sessions: Sequence[Session], rows: Sequence[Row]) -> list[Budget]:
    """Of each of these sessions and its group that has one, and of today if that has one."""
    found = [
        of("session", one.name, one.budget, [row for row in rows if row.session == one.id])
        for one in sessions
        if one.budget
    ]
    for group in sorted({one.group for one in sessions if one.group}):
        text = group_text(context, group)
        if text:
            found.append(of("group", group, text, [row for row in rows if row.team == group]))
    if daily := context.config.limits.daily_budget:
        found.append(of("day", time.strftime("%Y-%m-%d"), daily, [row for row in rows if row.hour]))
    return found


def by_session(context: Context, sessions: Sequence[Session]) -> dict[str, tuple[Budget, ...]]:
    """By session id, the budgets that bound it, the one that is spent most first."""
    limited = any(one.budget or one.group for one in sessions) or context.config.limits.daily_budget
    if not limited:
        return {}
    found = every(context, sessions, totals(context))
    by_name = {(one.kind, one.who): one for one in found}
    day = [one for one in found if one.kind == "day"]
    bounding = {
        one.id: [*filter(None, (by_name.get(("session", one.name)), by_name.get(("group", one.group)))), *day]
        for one in sessions
    }
    return {key: tuple(sorted(own, key=lambda one: -one.share)) for key, own in bounding.items() if own}


def group_text(context: Context, group: str) -> str:
    """A group's limit as it is kept, empty for none."""
    own = rights.group_budget(context.home, group)
    return context.config.limits.group_budget if own is None else own


def totals(context: Context) -> list[Row]:
    """What was used so far, by session, group and model, with today apart; no file is made for it."""
    home = context.home
    if not home.usage.exists() and not home.usage_journals.exists():
        return []
    with Ledger.open(home) as ledger:
        return ledger.totals(midnight())
