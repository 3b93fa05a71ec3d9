"""Merges that were killed half-way: found among the sessions, taken back, and said with what to type."""

from __future__ import annotations

from typing import Any

import pytest

from clauderon import airlock
from clauderon.errors import Conflict
from clauderon.paths import Home
from clauderon.session import half_merged
from clauderon.session.context import Context
from tests.session.stand_ins import Said
from tests.standins.sessions import a_session


def test_only_sessions_whose_merge_stopped_half_way_are_found(
    home: Home, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, name in enumerate(("whole", "half")):
        a_session(home, name, f"{number:012x}")
    monkeypatch.setattr(airlock, "is_half_merged", lambda _home, session, _environ: session.name == "half")
    assert [session.name for session in half_merged.found(context)] == ["half"]


def test_none_is_found_where_nothing_was_killed(home: Home, context: Context) -> None:
    a_session(home, "whole", "0123456789ab")
    assert half_merged.found(context) == []


@pytest.mark.parametrize("undone", [True, False])
def test_what_was_taken_back_is_said_with_the_merge_to_type_and_nothing_else_is(
    home: Home, context: Context, said: Said, monkeypatch: pytest.MonkeyPatch, undone: bool
) -> None:
    session = a_session(home, "fix", "0123456789ab")
    monkeypatch.setattr(airlock, "undo_killed", lambda *_: undone)
    assert half_merged.undo(context, session) is undone
    assert [note.partition("hint: ")[2] for note in said.notes] == ["clauderon merge fix"] * undone
    assert said.warnings == []


def test_a_checkout_that_a_git_holds_is_said_and_left_for_the_next_command(
    home: Home, context: Context, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = a_session(home, "fix", "0123456789ab")

    def held(*_: Any) -> bool:
        raise Conflict("merge fix", "a git holds the index", hint="rm .git/index.lock")

    monkeypatch.setattr(airlock, "undo_killed", held)
    assert half_merged.undo(context, session) is False
    (warning,) = said.warnings
    assert "a git holds the index" in warning and "rm .git/index.lock" in warning and said.notes == []
