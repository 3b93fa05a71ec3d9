"""An event for hooks and scripts: what it says, and that nothing of it stops a command."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from clauderon import events
from clauderon.paths import Home
from clauderon.session.telling import tell
from tests.standins.sessions import a_row


def context(home: Home) -> Any:
    return SimpleNamespace(home=home)


def test_it_says_what_was_done_and_to_which_session(home: Home) -> None:
    tell(context(home), a_row(), "stop", by="user")
    (line,) = home.events.read_text().splitlines()
    said = json.loads(line)
    assert (said["event"], said["session"], said["by"]) == ("stop", "one", "user")
    assert said["id"] == "0123456789ab"


def test_a_file_of_events_that_cannot_be_written_stops_nobody(home: Home) -> None:
    """A delete that could not say so was seen to fail without the `suppress`."""
    home.events.mkdir(parents=True)
    tell(context(home), a_row(), "delete")
    assert list(home.events.iterdir()) == []


def test_more_that_is_said_comes_over_what_is_known_of_the_session(home: Home) -> None:
    tell(context(home), a_row(), "create", branch="another")
    assert json.loads(home.events.read_text())["branch"] == "another"
    assert events.facts(a_row(), home)["branch"] != "another"
