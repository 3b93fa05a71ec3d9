"""`events --session`: whose lines it prints, and what it says of a session that never was."""

from __future__ import annotations

import json

import pytest

from clauderon import events
from clauderon.paths import Home
from tests.standins.cli import Cli
from tests.standins.sessions import a_session


@pytest.fixture
def told(home: Home) -> Home:
    for name in ("gone", "fix-bug", "gone"):
        events.append(home, "create", {"session": name, "id": f"{name}-id"})
    return home


@pytest.mark.parametrize("word", ["gone", "gone-id"])
def test_a_deleted_sessions_events_are_still_there(cli: Cli, told: Home, word: str) -> None:
    answer = cli.ok("events", "--session", word, "--json")
    assert [json.loads(line)["session"] for line in answer.out.splitlines()] == ["gone", "gone"]


def test_a_session_that_never_was_is_said(cli: Cli, told: Home) -> None:
    a_session(told, "fix-tests", "0123456789ab")
    answer = cli("events", "--session", "fix-tetss")
    assert (answer.status, answer.out) == (3, b"")
    assert answer.error == (
        "clauderon: session fix-tetss: no session has this name, and no event is of it\n"
        "hint: clauderon events --session fix-tests   # did you mean this one?\n"
    )
    assert cli("events", "--session", "0", "--json").status == 3
    assert cli("events", "--session", "nothing-like-it").error.endswith("hint: clauderon list\n")


def test_a_session_without_an_event_yet_has_none(cli: Cli, told: Home) -> None:
    a_session(told, "new", "0123456789ab")
    for word in ("new", "0123456789ab"):
        assert cli.ok("events", "--session", word).text.splitlines()[1:] == []


def test_a_database_that_cannot_be_read_keeps_nobody_from_the_events(cli: Cli, told: Home) -> None:
    told.database.write_bytes(b"no database" * 1000)
    assert len(cli.ok("events", "--session", "gone", "--json").out.splitlines()) == 2
    assert cli.ok("events", "--session", "unknown").text.splitlines()[1:] == []
