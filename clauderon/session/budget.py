"""Budgets of sessions and of groups: what they are, what is spent of them, and changing them while agents work."""

from __future__ import annotations

import re
import time
from contextlib import AbstractContextManager
from typing import NamedTuple

from clauderon import filelock, limits, rights
from clauderon.errors import BackendError, Conflict, UsageError
from clauderon.ledger import Ledger, Row, midnight
from clauderon.proxy import service
from clauderon.session.context import Context
from clauderon.session.lookup import find

_WAIT_S = 10.0


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


def of_session(context: Context, name: str) -> Budget:
    """Raises NoSuchSession."""
    session = find(context, name)
    return _budget(
        "session", session.name, session.budget, [r for r in _rows(context) if r.session == session.id]
    )


def of_group(context: Context, group: str) -> Budget:
    """Of a group that nothing is in as well: it may have had sessions, or be given some."""
    rows = [row for row in _rows(context) if row.team == group]
    return _budget("group", group, _group_text(context, group), rows)


def every(context: Context) -> list[Budget]:
    """Of every session and group that has one, and of today if that has one."""
    rows = _rows(context)
    sessions = context.store.all()
    found = [
        _budget("session", one.name, one.budget, [row for row in rows if row.session == one.id])
        for one in sessions
        if one.budget
    ]
    for group in sorted({one.group for one in sessions if one.group}):
        text = _group_text(context, group)
        if text:
            found.append(_budget("group", group, text, [row for row in rows if row.team == group]))
    if daily := context.config.limits.daily_budget:
        found.append(_budget("day", time.strftime("%Y-%m-%d"), daily, [row for row in rows if row.hour]))
    return found


def change(context: Context, name: str, text: str) -> Budget:
    """Give a session `+5` more, `=10` (or `10`) in all, or `none`: from its next request on.

    Raises UsageError, NoSuchSession, and Conflict for something more where there is no limit.
    """
    with _alone(context):
        session = find(context, name)
        budget = _changed(session.budget, text, f"budget {name}")
        context.store.update(session.id, budget=budget)
    service.reload(context.home, context.config, context.environ)
    return of_session(context, name)


def change_group(context: Context, group: str, text: str) -> Budget:
    """As `change`, of all sessions of a group together."""
    with _alone(context):
        budget = _changed(_group_text(context, group), text, f"budget --group {group}")
        try:
            rights.keep_group_budget(context.home, group, budget)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise BackendError(f"budget --group {group}", why, hint="clauderon doctor") from error
    service.reload(context.home, context.config, context.environ)
    return of_group(context, group)


def _alone(context: Context) -> AbstractContextManager[None]:
    """One command at a time: of two that each add 5, none may be lost."""
    busy = Conflict("budget", "another command is changing one", hint="clauderon budget")
    return filelock.held(context.home.locks / "budget.lock", busy, _WAIT_S)


def _changed(before: str, text: str, what: str) -> str:
    """The new amount, empty for no limit."""
    if text == "none":
        return ""
    match = re.fullmatch(r"([+=]?)(.*)", text)
    amount = limits.dollars(match[2]) if match else None
    if match is None or amount is None:
        why = "use +5 to add dollars, 10 for so many in all, or none"
        raise UsageError(f"{what} {text}", why, hint=f"clauderon {what} +5")
    if match[1] != "+":
        return limits.dollars_text(amount)
    if not before:
        why = "it has no budget that something could be added to"
        raise Conflict(what, why, hint=f"clauderon {what} {match[2]}")
    return limits.dollars_text((limits.dollars(before) or 0) + amount)


def _group_text(context: Context, group: str) -> str:
    own = rights.group_budget(context.home, group)
    return context.config.limits.group_budget if own is None else own


def _budget(kind: str, who: str, text: str, rows: list[Row]) -> Budget:
    limit = (limits.dollars(text) or 0) if text else None
    spent = sum(row.nano + row.guessed for row in rows)
    return Budget(kind, who, limit, spent, tuple(sorted({row.model for row in rows if row.unpriced})))


def _rows(context: Context) -> list[Row]:
    home = context.home
    if not home.usage.exists() and not home.usage_journals.exists():
        return []
    with Ledger.open(home) as ledger:
        return ledger.totals(midnight())
