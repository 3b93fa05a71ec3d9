"""What a person at a terminal is called for: a session waits, is done, has failed, or a budget is spent.

Reads the events that the proxy's service writes, and shows nothing itself. A container wrote some of their words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clauderon import visible
from clauderon.events import Tail
from clauderon.paths import Home

_LONGEST = 120


class Calls:
    """The calls that come after its making. group: only those of this group's sessions and budgets; None for all."""

    def __init__(self, home: Home, group: str | None = None) -> None:
        self._tail = Tail(home)
        self._group = group

    def read(self) -> list[str]:
        """The new ones, oldest first, each a sentence without anything that a terminal acts on."""
        found = [sentence(event) for event in self._tail.read() if self._concerns(event)]
        return [text for text in found if text]

    def _concerns(self, event: Mapping[str, Any]) -> bool:
        return self._group is None or self._group in (event.get("group"), event.get("of"))


def sentence(event: Mapping[str, Any]) -> str:
    """What to tell a person of an event, on one line; empty for one that nobody has to hurry for."""
    kind, who = event.get("event"), event.get("session")
    text = ""
    if kind == "waiting":
        text = f"{who} waits for {event.get('waiting_for') or 'you'}"
    elif kind == "done":
        text = f"{who} is done"
    elif kind == "failed":
        text = f"{who} failed (status {event.get('exit_status')})"
    elif kind == "budget":
        of = f"the budget of {event.get('budget')} {event.get('of')}"
        share = event.get("share")
        spent = isinstance(share, (int, float)) and share >= 1
        text = f"{of} is used up" if spent else f"80 % of {of} is spent"
    return visible.line(text)[:_LONGEST]
