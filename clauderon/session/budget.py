"""Budgets of sessions and of groups: what they are, what is spent of them, and changing them while agents work."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager

from clauderon import filelock, limits, rights
from clauderon.errors import BackendError, Conflict, UsageError
from clauderon.proxy import service
from clauderon.session import purse
from clauderon.session.context import Context
from clauderon.session.lookup import find
from clauderon.session.purse import Budget

_WAIT_S = 10.0


def of_session(context: Context, name: str) -> Budget:
    """Raises NoSuchSession."""
    session = find(context, name)
    rows = [row for row in purse.totals(context) if row.session == session.id]
    return purse.of("session", session.name, session.budget, rows)


def of_group(context: Context, group: str) -> Budget:
    """Of a group that nothing is in as well: it may have had sessions, or be given some."""
    rows = [row for row in purse.totals(context) if row.team == group]
    return purse.of("group", group, purse.group_text(context, group), rows)


def every(context: Context) -> list[Budget]:
    """Of every session and group that has one, and of today if that has one."""
    return purse.every(context, context.store.all(), purse.totals(context))


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
        budget = _changed(purse.group_text(context, group), text, f"budget --group {group}")
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
