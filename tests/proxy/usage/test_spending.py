"""What is spent of each budget, and which one stops a request: by tables, without a proxy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.limits import NANO
from clauderon.proxy.usage import spending
from clauderon.proxy.usage.spending import Budgets, Passed, Spending

DAY = "2026-11-29"


@pytest.fixture(autouse=True)
def one_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spending, "today", lambda: DAY)


def limited(session: int | None = None, group: int | None = None, daily: int | None = None) -> Spending:
    """Two sessions of a group, with these limits of whole dollars."""
    made = Spending()
    nano = [None if limit is None else limit * NANO for limit in (session, group, daily)]
    made.use({name: Budgets(name, "team", nano[0], nano[1]) for name in ("a", "b")}, nano[2])
    return made


def stopped(made: Spending, session: str = "a") -> str:
    """Whose budget stops the session, or nothing."""
    stop = made.stop(session)
    return "" if stop is None else stop.what.partition(" is used up")[0]


@pytest.mark.parametrize(
    ("limits", "whose"),
    [
        ((None, None, None), ""),
        ((1, None, None), "the budget of session a"),
        ((None, 1, None), "the budget of group team"),
        ((None, None, 1), "the budget of today"),
        ((2, 2, 2), ""),
        # The narrowest that is used up is named: it is the one that its person can raise for this session alone.
        ((1, 1, 1), "the budget of session a"),
    ],
)
def test_a_budget_stops_who_has_used_it_up(limits: tuple[int | None, ...], whose: str) -> None:
    made = limited(*limits)
    made.spend("a", "team", NANO - 1)
    assert stopped(made) == ""
    made.spend("a", "team", 1)
    assert stopped(made) == whose


def test_what_another_session_spends_counts_for_the_group_and_the_day_alone() -> None:
    made = limited(1, 5, 9)
    made.spend("a", "team", 2 * NANO)
    assert (stopped(made, "a"), stopped(made, "b")) == ("the budget of session a", "")
    made.spend("a", "team", 3 * NANO)
    assert stopped(made, "b") == "the budget of group team"
    made.use({"b": Budgets("b", "", None, None)}, 5 * NANO)
    assert stopped(made, "b") == "the budget of today"


def test_a_day_ends_at_midnight(monkeypatch: pytest.MonkeyPatch) -> None:
    made = limited(daily=1)
    made.spend("a", "team", NANO)
    assert stopped(made)
    monkeypatch.setattr(spending, "today", lambda: "2026-11-30")
    assert stopped(made) == ""


def test_a_session_that_nobody_knows_has_no_limits() -> None:
    made = limited(1, 1, 1)
    made.spend("gone", "", 9 * NANO)
    assert made.stop("gone") is None and not made.is_limited("gone")


def test_whether_anything_bounds_a_session() -> None:
    assert not limited().is_limited("a")
    assert limited(group=1).is_limited("a") and limited(daily=1).is_limited("a")


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(0, NANO)), max_size=20))
def test_nothing_is_lost_or_counted_twice(answers: list[tuple[str, int]]) -> None:
    made = limited()
    for session, nano in answers:
        made.spend(session, "team", nano)
    whole = sum(nano for _, nano in answers)
    assert made.spent(("group", "team")) == made.spent(("day", DAY)) == whole
    assert made.spent(("session", "a")) + made.spent(("session", "b")) == whole


@given(st.lists(st.integers(0, NANO // 2), max_size=12))
def test_each_share_of_a_budget_is_said_once_and_in_its_order(amounts: list[int]) -> None:
    made, said = limited(1), list[Passed]()
    made.say = said.append
    for nano in amounts:
        made.spend("a", "team", nano)
    reached = [share for share in spending.SHARES if sum(amounts, 0) >= NANO * share]
    assert [passed.share for passed in said] == reached


def test_a_raised_budget_is_said_anew_and_the_same_one_is_not() -> None:
    made, said = limited(1), list[Passed]()
    made.say = said.append
    made.spend("a", "team", NANO)
    made.use({"a": Budgets("a", "", NANO)}, None)
    assert [(passed.kind, passed.who, passed.share) for passed in said] == [
        ("session", "a", 0.8),
        ("session", "a", 1.0),
    ]
    made.use({"a": Budgets("a", "", NANO + 1)}, None)
    assert [passed.limit for passed in said[2:]] == [NANO + 1]


def test_what_an_earlier_worker_has_said_is_not_said_again_but_applies() -> None:
    """Seen to be said at every restart with the sums loaded aloud."""
    made, said = limited(1, 1), list[Passed]()
    made.say = said.append
    made.load([(("session", "a"), NANO)], [])
    assert said == [] and stopped(made) == "the budget of session a"


def test_a_model_without_a_price_stops_what_is_limited_until_it_has_one() -> None:
    made = limited(1)
    made.spend("a", "team", 0, unpriced=("openai", "new-model"))
    stop = made.stop("a")
    assert stop is not None and stop.code == "budget-no-price"
    assert '[prices."new-model"]' in stop.fix and "clauderon budget a none" in stop.fix
    made.priced = lambda api, model: (api, model) == ("openai", "new-model")
    assert made.stop("a") is None
    assert limited().stop("a") is None


def test_prices_that_were_missing_before_a_restart_are_known_after_it() -> None:
    made = limited(group=1)
    made.load([], [(("group", "team"), "openai", "new-model")])
    stop = made.stop("b")
    assert stop is not None and "group team" in stop.what and "--group team none" in stop.fix


@pytest.mark.parametrize(
    ("limits", "typed"),
    [((1, None, None), "clauderon budget a +5"), ((None, 1, None), "clauderon budget --group team +5"),
     ((None, None, 1), "[limits] daily_budget in config.toml")],
)  # fmt: skip
def test_a_refusal_says_how_much_was_spent_and_what_to_type(
    limits: tuple[int | None, ...], typed: str
) -> None:
    made = limited(*limits)
    made.spend("a", "team", NANO + NANO // 4)
    stop = made.stop("a")
    assert stop is not None and typed in stop.fix
    assert "($1.25 of $1.00)" in stop.what
