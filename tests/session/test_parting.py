"""What is said to whoever was at the terminal when the agent ended: how, what is there, what to type."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from clauderon import airlock
from clauderon.errors import BackendError
from clauderon.paths import Home
from clauderon.session import parting, query
from clauderon.session.context import Context
from tests.session.stand_ins import Said
from tests.standins.sessions import a_session

Told = Callable[..., list[str]]


@pytest.fixture
def told(context: Context, home: Home, said: Said, monkeypatch: pytest.MonkeyPatch) -> Told:
    """The notes about a session in that state, with so many commits and so many uncommitted files."""

    def tell(state: str, ahead: int, dirty: int, **row: Any) -> list[str]:
        session = context.store.update(a_session(home, "fix", "0123456789ab").id, **row)
        monkeypatch.setattr(query, "view", lambda *_words: SimpleNamespace(state=state, exit_status=3))
        monkeypatch.setattr(
            airlock, "state", lambda *_words, unmerged: SimpleNamespace(ahead=ahead, dirty=dirty)
        )
        parting.say(context, session)
        return said.notes

    return tell


@pytest.mark.parametrize(
    ("state", "ahead", "dirty", "words", "hint"),
    [
        ("done", 0, 0, "status 3; no commits on fix.", "clauderon start fix && clauderon attach fix   # or: "),
        ("failed", 1, 0, "status 3; 1 commit on fix.", "clauderon merge fix   # or go on: "),
        ("stopped", 2, 1, "it was stopped; 2 commits on fix, 1 uncommitted.", "clauderon diff fix   # or go on: "),
        ("missing", 0, 4, "container is gone; no commits on fix, 4 uncommitted.", "clauderon diff fix   # or go"),
    ],
)  # fmt: skip
def test_each_ending_has_its_words(
    told: Told, state: str, ahead: int, dirty: int, words: str, hint: str
) -> None:
    (note,) = told(state, ahead, dirty)
    assert words in note and f"\nhint: {hint}" in note


def test_a_time_that_was_up_is_said(told: Told) -> None:
    (note,) = told("timed-out", 0, 0, timeout_s=90.0)
    assert "its time limit of " in note and "was up, so it was stopped" in note


@pytest.mark.parametrize("state", ["running", "paused"])
def test_one_that_goes_on_needs_no_words(told: Told, state: str) -> None:
    assert told(state, 1, 1) == []


def test_one_without_a_terminal_is_followed_by_its_logs(told: Told) -> None:
    (note,) = told("done", 0, 0, print_mode=True)
    assert "clauderon logs -f fix" in note and "attach" not in note


def test_what_cannot_be_looked_at_is_said(
    context: Context, home: Home, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_words: object) -> None:
        raise BackendError("status fix", "the repository is gone")

    monkeypatch.setattr(query, "view", fail)
    parting.say(context, a_session(home, "fix", "0123456789ab"))
    assert said.warnings == ["status fix: the repository is gone"] and said.notes == []
