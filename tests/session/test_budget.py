"""Budgets of sessions, groups and the day: what is spent of each, and what a change of one makes of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon import limits, rights
from clauderon.errors import BackendError, ClauderonError, Conflict, UsageError
from clauderon.limits import NANO
from clauderon.paths import Home
from clauderon.proxy import service
from clauderon.session import budget
from clauderon.session.budget import _changed
from clauderon.session.context import Context
from clauderon.session.purse import Budget
from clauderon.usage_journal import Journal
from tests.standins.sessions import a_session

A, B = "0123456789aa", "0123456789bb"


@pytest.fixture
def reloads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often the proxy was told."""
    told: list[int] = []
    monkeypatch.setattr(service, "reload", lambda *_: told.append(1))
    return told


@pytest.fixture
def two(home: Home, context: Context, reloads: list[int]) -> Iterator[Context]:
    """Two sessions of a group: of five dollars and of none; they have spent one and two."""
    for name, id_, own in (("a", A, "5"), ("b", B, "")):
        context.store.update(a_session(home, name, id_).id, budget=own, group="team")
    journal = Journal(home)
    for number, (name, id_) in enumerate((("a", A), ("b", B)), 1):
        journal.append(
            {
                "id": name, "end": True, "worker": "w", "time": time.time(), "session": id_, "name": name,
                "team": "team", "api": "openai", "model": f"m{number}", "requests": 1, "nano": number * NANO,
                "unpriced": number - 1,
            }
        )  # fmt: skip
    journal.close()
    yield context


def test_a_session_and_a_group_have_what_they_spent(two: Context) -> None:
    assert budget.of_session(two, "a") == Budget("session", "a", 5 * NANO, NANO)
    assert budget.of_session(two, "b") == Budget("session", "b", None, 2 * NANO, ("m2",))
    assert budget.of_group(two, "team") == Budget("group", "team", None, 3 * NANO, ("m2",))


def test_a_group_that_nothing_is_in_has_a_budget_all_the_same(two: Context) -> None:
    assert budget.change_group(two, "later", "7") == Budget("group", "later", 7 * NANO, 0)


@pytest.mark.parametrize(("limit", "spent", "left"), [(5, 3, 2), (5, 5, 0), (5, 9, 0), (None, 9, None)])
def test_nothing_less_than_nothing_is_left(limit: int | None, spent: int, left: int | None) -> None:
    assert Budget("session", "x", limit, spent).left == left


def test_all_that_are_limited_are_listed_the_day_last(two: Context) -> None:
    assert [(one.kind, one.who) for one in budget.every(two)] == [("session", "a")]
    budget.change_group(two, "team", "9")
    daily = two.config._replace(limits=two.config.limits._replace(daily_budget="20"))
    found = budget.every(two._replace(config=daily))
    assert [(one.kind, one.who) for one in found] == [
        ("session", "a"), ("group", "team"), ("day", time.strftime("%Y-%m-%d"))
    ]  # fmt: skip
    assert found[2].spent == 3 * NANO


def test_a_change_is_kept_and_the_running_proxy_is_told(two: Context, reloads: list[int]) -> None:
    assert budget.change(two, "a", "+2.50").limit == 7_500_000_000
    assert two.store.named("a").budget == "7.5"
    assert reloads == [1]


@pytest.mark.parametrize(
    ("before", "text", "after"),
    [
        ("5", "+5", "10"),
        ("5", "10", "10"),
        ("5", "=1", "1"),
        ("5", "none", ""),
        ("", "3", "3"),
        ("", "none", ""),
    ],
)
def test_what_becomes_of_a_budget(before: str, text: str, after: str) -> None:
    found = _changed(before, text, "budget x")
    assert limits.dollars(found) == limits.dollars(after) if after else found == ""


@pytest.mark.parametrize("text", ["", "+", "=", "-1", "5e3", "five", "+-1", "++1", "1,5"])
def test_what_cannot_be_meant_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        _changed("5", text, "budget x")
    assert caught.value.hint == "clauderon budget x +5"


def test_nothing_is_added_to_no_limit() -> None:
    """It would be a limit that nobody asked for."""
    with pytest.raises(Conflict) as caught:
        _changed("", "+5", "budget x")
    assert caught.value.hint == "clauderon budget x 5"


def test_of_two_changes_at_once_none_is_lost(two: Context) -> None:
    with budget._alone(two), pytest.MonkeyPatch.context() as patched:
        patched.setattr(budget, "_WAIT_S", 0.0)
        with pytest.raises(Conflict, match="another command is changing one"):
            budget.change(two, "a", "+5")
    assert two.store.named("a").budget == "5"


def test_a_groups_budget_that_cannot_be_written_is_an_error_and_not_a_word_lost(
    two: Context, reloads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rights, "keep_group_budget", full)
    with pytest.raises(BackendError, match="no space left on device"):
        budget.change_group(two, "team", "5")
    assert reloads == []


@given(before=st.integers(1, 10**12), more=st.integers(1, 10**12))
def test_amounts_add_up_to_the_last_billionth(before: int, more: int) -> None:
    text = _changed(limits.dollars_text(before), f"+{limits.dollars_text(more)}", "budget x")
    assert limits.dollars(text) == before + more


@given(text=st.text(alphabet="0123456789.+=$-e n", max_size=12))
def test_an_amount_is_read_or_refused(text: str) -> None:
    try:
        found = _changed("1", text, "budget x")
    except ClauderonError:
        return
    assert found == "" or limits.dollars(found)
