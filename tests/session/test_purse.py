"""Which budgets bound a session, how much of each is spent, and what is read for it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from clauderon import rights
from clauderon.limits import NANO
from clauderon.paths import Home
from clauderon.session import overview, purse
from clauderon.session.purse import Budget
from clauderon.store import Store
from tests.standins.fleet import Fleet


@pytest.fixture
def fleet(home: Home, tmp_path: Path) -> Fleet:
    return Fleet(home, tmp_path / "fleet")


def bounding(fleet: Fleet) -> dict[str, list[tuple[str, str, int, int | None]]]:
    with Store.open(fleet.home) as store:
        sessions = store.all()
        found = purse.by_session(fleet.context(store), sessions)
    return {
        one.name: [
            (b.kind, b.who, b.spent // 10**6, b.limit and b.limit // 10**6) for b in found.get(one.id, ())
        ]
        for one in sessions
    }


def test_the_budget_that_is_spent_most_comes_first(fleet: Fleet) -> None:
    one = fleet.add("one", 1, budget="10", group="nightly")
    two = fleet.add("two", 2, group="nightly")
    fleet.add("free", 3)
    rights.keep_group_budget(fleet.home, "nightly", "5")
    fleet.use(one, nano=NANO, team="nightly")
    # What a guess says of an answer that nobody could read is spent as well.
    fleet.use(two, nano=NANO * 2, guessed=NANO, team="nightly")
    assert bounding(fleet) == {
        "one": [("group", "nightly", 4000, 5000), ("session", "one", 1000, 10_000)],
        "two": [("group", "nightly", 4000, 5000)],
        "free": [],
    }


def test_a_day_bounds_everybody_and_has_only_todays(fleet: Fleet) -> None:
    fleet.home.config.write_text('[limits]\ndaily_budget = "2"\n')
    one = fleet.add("one", 1)
    fleet.use(one, nano=NANO, time=1e9)
    fleet.use(one, nano=NANO // 2)
    fleet.add("two", 2)
    day = [("day", time.strftime("%Y-%m-%d"), 500, 2000)]
    assert bounding(fleet) == {"one": day, "two": day}


def test_a_row_has_them_for_scripts(fleet: Fleet) -> None:
    fleet.use(fleet.add("one", 1, budget="4"), nano=NANO * 3)
    fleet.add("two", 2)
    with Store.open(fleet.home) as store:
        one, two = (found.row() for found in overview.overview(fleet.context(store)))
    assert one["budget_used"] == 0.75
    assert one["budgets"] == [{"kind": "session", "of": "one", "spent": 3.0, "limit": 4.0}]
    assert (two["budget_used"], two["budgets"]) == (None, [])


@pytest.mark.parametrize(
    ("budget", "share", "text"),
    [
        (Budget("session", "x", 5 * NANO, 4 * NANO), 0.8, "$4.00 of $5.00"),
        (Budget("group", "nightly", 5 * NANO, 6 * NANO), 1.2, "$6.00 of $5.00 (group nightly)"),
        (Budget("day", "2026-11-29", 5 * NANO, 0), 0.0, "$0.00 of $5.00 today"),
        (Budget("session", "x", None, NANO), 0.0, "$1.00"),
        (Budget("session", "x", 0, 0), 1.0, "$0.00 of $0.00"),
    ],
)
def test_a_budget_in_words(budget: Budget, share: float, text: str) -> None:
    assert (budget.share, budget.text()) == (share, text)
