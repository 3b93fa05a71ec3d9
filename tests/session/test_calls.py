"""What a person is called for, in words that no terminal acts on."""

from __future__ import annotations

import pytest

from clauderon import events
from clauderon.paths import Home
from clauderon.session.calls import Calls, sentence


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"event": "waiting", "session": "fix-bug", "waiting_for": "permission"}, "fix-bug waits for permission"),
        ({"event": "waiting", "session": "fix-bug", "waiting_for": ""}, "fix-bug waits for you"),
        ({"event": "done", "session": "fix-bug", "exit_status": 0}, "fix-bug is done"),
        ({"event": "failed", "session": "fix-bug", "exit_status": 3}, "fix-bug failed (status 3)"),
        ({"event": "budget", "budget": "group", "of": "nightly", "share": 0.8}, "80 % of the budget of group nightly is spent"),
        ({"event": "budget", "budget": "day", "of": "2026-11-29", "share": 1.0}, "the budget of day 2026-11-29 is used up"),
        ({"event": "create", "session": "fix-bug"}, ""),
        ({"event": ["waiting"]}, ""),
    ],
)  # fmt: skip
def test_a_person_is_called_for_what_needs_one(event: dict[str, object], expected: str) -> None:
    assert sentence(event) == expected


def test_no_word_of_a_container_gets_to_the_terminal_as_it_is() -> None:
    """Seen to fail without `visible`: the escape sequences were in the sentence."""
    said = sentence(
        {"event": "waiting", "session": "x", "waiting_for": "\x1b]52;c;AA\x07\x9b2J\n\u202e" + "w" * 500}
    )
    assert said.isprintable() and len(said) <= 120 and "\\x1b" in said


def test_only_the_groups_own_are_heard(home: Home) -> None:
    everything, nightly = Calls(home), Calls(home, "nightly")
    events.append(home, "done", {"session": "a", "group": "nightly"})
    events.append(home, "done", {"session": "b", "group": ""})
    events.append(home, "budget", {"budget": "group", "of": "nightly", "share": 1.0})
    assert everything.read() == ["a is done", "b is done", "the budget of group nightly is used up"]
    assert nightly.read() == ["a is done", "the budget of group nightly is used up"]
    assert everything.read() == nightly.read() == []
