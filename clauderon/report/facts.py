"""The short lines at the head of a report, the same in each form: a label, and a value that is not yet safe to show."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from clauderon import figures
from clauderon.session.overview import Spent
from clauderon.session.story import Story


class Fact(NamedTuple):
    """label: ours. value: may be a container's or a person's word."""

    label: str
    value: str


def facts(story: Story) -> list[Fact]:
    """What to know of a session before the details."""
    session, about = story.session, story.about
    asked, spent = about.asked, about.spent
    last = about.last_activity or session.updated_at
    values = [
        Fact("State", _state(story)),
        Fact("Agent", session.agent),
        Fact("Branch", session.branch),
        Fact("Base", session.base[:12]),
        Fact("Created", clock(session.created_at)),
        Fact("Last activity", f"{clock(last)}, {figures.ago(max(0.0, last - session.created_at))} later"),
        Fact("Image", session.image),
        Fact("Network", _network(story)),
        Fact("Rights", session.access_mode),
        Fact("Without protection", "; ".join(session.unsafe)),
        Fact(
            "Requests", f"{asked.requests} ({asked.refusals} refused), {figures.short(_bytes(story), 1024)}B"
        ),
        Fact("Usage", used(spent)),
        Fact("Budget", "; ".join(one.text() for one in about.budgets)),
    ]
    return [fact for fact in values if fact.value]


def used(spent: Spent) -> str:
    """`3 answers, 10 tokens in, 1.0k cached, 5 out, $1.00`."""
    if not spent.requests:
        return "no model was asked"
    unknown = f", {spent.unknown} of unknown size" if spent.unknown else ""
    return (
        f"{spent.requests} answer{'' if spent.requests == 1 else 's'}{unknown}, {figures.short(spent.input)} tokens in,"
        f" {figures.short(spent.cached)} cached, {figures.short(spent.output)} out,"
        f" {figures.money(spent.nano / 1e9, spent.unpriced)}"
    )


def total(stories: Sequence[Story]) -> Spent:
    """What they used together."""
    return Spent(*(sum(values) for values in zip(*(one.about.spent for one in stories), strict=True)))


def lent(story: Story) -> list[Fact]:
    """Which credentials it was lent, and to which hosts."""
    hosts: dict[str, list[str]] = {}
    for one in story.asked.hosts:
        for name in one.credentials:
            hosts.setdefault(name, []).append(one.host)
    return [Fact(name, ", ".join(sorted(used_for))) for name, used_for in sorted(hosts.items())]


def clock(seconds: float) -> str:
    """Date and time in UTC: a report is read elsewhere."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
    except (ValueError, OverflowError, OSError):  # a commit may be dated to any number
        return "at no time"


def _state(story: Story) -> str:
    view = story.about.view
    if view.state == "running" and view.activity:
        return str(view.row()["doing"])
    return str(view.row()["status"])


def _bytes(story: Story) -> int:
    return story.about.asked.bytes_up + story.about.asked.bytes_down


def _network(story: Story) -> str:
    session = story.session
    allowed = "" if session.allow is None else f"; allowed: {', '.join(session.allow) or 'nothing'}"
    denied = f"; denied: {', '.join(session.deny)}" if session.deny else ""
    return f"{session.network}{allowed}{denied}"
