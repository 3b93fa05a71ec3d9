"""`budget`: what sessions and groups may spend on models."""

from __future__ import annotations

from typing import Annotated, Any

from clauderon import limits, names
from clauderon.cells import Column
from clauderon.cli import common
from clauderon.cli.declared import Argument, Option
from clauderon.errors import UsageError
from clauderon.session import budget as budgets
from clauderon.session.purse import Budget

_COLUMNS = (
    Column("name", "NAME"),
    Column("kind", "KIND"),
    Column("shown_spent", "SPENT"),
    Column("shown_budget", "BUDGET"),
    Column("shown_left", "LEFT"),
    Column("unpriced_models", "NO PRICE", optional=True),
)


def budget(
    name: Annotated[
        str | None, Argument(metavar="[NAME]", help="The session's name.", show_default=False)
    ] = None,
    amount: Annotated[
        str | None, Argument(metavar="[AMOUNT]", help="As +5, 10 or none.", show_default=False)
    ] = None,
    group: Annotated[
        str | None,
        Option("--group", metavar="GROUP", help="The budget of this group, instead of a session."),
    ] = None,
    format_: common.FormatOption = "table",
    json: common.JsonOption = False,
    quiet: common.QuietOption = False,
) -> None:
    """Show or change what a session or a group may spend on models. It applies at once; nothing is restarted.

    +5 adds five US dollars, 10 makes it ten in all, none takes the limit away. Without a name: every budget.

    Example: clauderon budget fix-bug +5
    """
    out = common.speak(format_, json, quiet)
    if group is not None:
        names.group_named(group, "--group")
        if amount is not None:
            hint = f"clauderon budget --group {group} {amount}"
            raise UsageError("budget", "give a name or --group, not both", hint=hint)
        name, amount = None, name  # without a session's name the one word is the amount
    with common.opened(changing=amount is not None) as context:
        if group is not None:
            found = budgets.of_group(context, group)
            if amount is not None:
                found = budgets.change_group(context, group, amount)
            if not found.spent and not any(session.group == group for session in context.store.all()):
                out.note(
                    f"No session is in group {group}. Those that are: clauderon list --columns name,group"
                )
        elif name is None:
            rows = [_row(one) for one in budgets.every(context)]
            rows = [_plain(row) for row in rows] if out.json else rows
            out.records(rows, _COLUMNS, empty="No session has a budget. hint: clauderon budget NAME 5")
            return
        elif amount is not None:
            found = budgets.change(context, name, amount)
        else:
            found = budgets.of_session(context, name)
    if out.format == "tsv":
        out.records([_row(found)], _COLUMNS)
    else:
        out.value(_sentence(found), _plain(_row(found)))


def _row(one: Budget) -> dict[str, Any]:
    return {
        "name": one.who,
        "kind": one.kind,
        "budget": None if one.limit is None else one.limit / limits.NANO,
        "spent": one.spent / limits.NANO,
        "left": None if one.left is None else one.left / limits.NANO,
        "unpriced_models": list(one.unpriced),
        "shown_spent": limits.dollars_shown(one.spent),
        "shown_budget": "none" if one.limit is None else limits.dollars_shown(one.limit),
        "shown_left": "" if one.left is None else limits.dollars_shown(one.left),
    }


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if not key.startswith("shown_")}


def _sentence(one: Budget) -> str:
    spent = limits.dollars_shown(one.spent)
    text = f"{one.kind} {one.who} has spent {spent}"
    text += " and has no limit" if one.limit is None else f" of {limits.dollars_shown(one.limit)}"
    if one.unpriced:
        text += f"; the price of {', '.join(one.unpriced)} is not known, so that is not in it"
    return f"{text[0].upper()}{text[1:]}."
