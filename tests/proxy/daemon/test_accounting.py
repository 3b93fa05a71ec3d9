"""The worker's bookkeeping of what models were asked: nothing without a request, and no work twice."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from clauderon.config.schema import Config
from clauderon.ledger import Ledger
from clauderon.limits import NANO
from clauderon.paths import Home
from clauderon.proxy.daemon.accounting import Accounting
from clauderon.proxy.usage.amounts import Usage
from clauderon.proxy.usage.apis import ANTHROPIC
from clauderon.proxy.usage.guess import Size
from clauderon.proxy.usage.spending import Budgets, today

SESSION = ("0123456789ab", "fix-bug", "")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


def begin(home: Home, budgets: dict[str, Budgets] | None = None) -> Accounting:
    """The books of a worker that starts now."""
    snapshot = SimpleNamespace(config=Config(), budgets=budgets or {})
    return Accounting.begin(home, cast(Any, snapshot))


def test_no_request_to_a_model_leaves_no_file(home: Home) -> None:
    """Seen to fail when the journal was opened to see whether anything waits: a database came into every home."""
    accounting = begin(home)
    accounting._journal.flush()
    accounting.close()
    assert not home.usage.exists() and not home.usage_journals.exists()


def test_the_database_is_written_only_where_there_is_something_new(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to fail when it was folded every time."""
    folded: list[str] = []
    real = Ledger.fold

    def fold(ledger: Ledger, worker: str, *, now: float) -> None:
        folded.append(worker)
        real(ledger, worker, now=now)

    monkeypatch.setattr(Ledger, "fold", fold)
    accounting = begin(home)
    for _ in range(2):
        accounting.meter.write_end(SESSION, ANTHROPIC, "one", Usage("m", 3, output=4), Size(0, 0, False))
        for _ in range(3):
            accounting._fold()
    assert len(folded) == 2
    later = begin(home)
    for _ in range(3):
        later._fold()
    assert len(folded) == 3
    with Ledger.open(home) as ledger:
        assert [(row.requests, row.output) for row in ledger.read()[0]] == [(2, 8)]
    accounting.close()
    later.close()


# 25 dollars a million tokens of output.
DEAR = Usage("claude-opus-4-5", output=1000)
CENTS = NANO * 25 // 1000
ID = SESSION[0]
GROUPED = (ID, "fix-bug", "nightly")


def spent(accounting: Accounting) -> list[int]:
    return [
        accounting.meter.spending.spent(purse)
        for purse in (("session", ID), ("group", "nightly"), ("day", today()))
    ]


def answer(accounting: Accounting, usage: Usage = DEAR) -> None:
    accounting.meter.write_end(GROUPED, ANTHROPIC, "one", usage, Size(0, 0, False))


@pytest.mark.parametrize("folded", [True, False])
def test_a_worker_that_is_killed_leaves_what_was_spent_to_the_next(home: Home, folded: bool) -> None:
    """Seen to fail without `_load`: the next worker began at nothing."""
    accounting = begin(home)
    answer(accounting)
    if folded:
        accounting._fold()
    answer(accounting)
    # Killed here: neither folded nor closed.
    later = begin(home, {ID: Budgets("fix-bug", "nightly", 2 * CENTS, None)})
    assert spent(later) == [2 * CENTS] * 3
    assert later.meter.spending.stop(ID) is not None
    answer(later)
    later._fold()
    assert spent(begin(home)) == [3 * CENTS] * 3


def test_what_was_under_way_when_a_worker_was_killed_is_not_free(home: Home) -> None:
    accounting = begin(home)
    answer(accounting)
    accounting.meter.write_begin(GROUPED, ANTHROPIC, "two", 4_000_000)
    # A million tokens at ten dollars: nobody knows yet which model it is.
    assert spent(begin(home)) == [CENTS + 10 * NANO] * 3
    later = begin(home)
    later._fold()
    assert spent(begin(home)) == [CENTS + 10 * NANO] * 3


def test_what_other_days_spent_is_not_of_today(home: Home) -> None:
    accounting = begin(home)
    line = {
        "id": "x", "end": True, "worker": "w", "time": 1e9, "session": ID, "name": "fix-bug", "team": "nightly",
        "api": "openai", "model": "m", "requests": 1, "nano": CENTS,
    }  # fmt: skip
    accounting._journal.append(line)
    assert spent(begin(home)) == [CENTS, CENTS, 0]


def test_a_locked_database_delays_nothing_but_the_knowledge(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And once it can be read, what this worker has counted itself is not counted twice."""
    monkeypatch.setattr("clauderon.ledger.BUSY_TIMEOUT_S", 0.05)
    before = begin(home)
    answer(before)
    before._fold()
    with sqlite3.connect(home.usage) as lock:
        lock.execute("PRAGMA locking_mode = EXCLUSIVE")
        lock.execute("BEGIN EXCLUSIVE")
        lock.execute("DELETE FROM window")
        later = begin(home, {ID: Budgets("fix-bug", "", CENTS)})
        if later.problems():  # else it could be read beside the lock
            assert later.meter.spending.stop(ID) is None
        answer(later)
        later._fold()
    lock.close()
    later._load(later._totals()) if not later._loaded else None
    assert spent(later) == [2 * CENTS] * 3
    later._fold()
    assert (later.problems(), spent(begin(home))) == ([], [2 * CENTS] * 3)


def test_a_budget_that_is_nearly_spent_is_an_event_and_a_lost_one_is_said(home: Home) -> None:
    budgets = {ID: Budgets("fix-bug", "nightly", 5 * CENTS, 100 * CENTS)}
    accounting = begin(home, budgets)
    for _ in range(6):
        answer(accounting)
    lines = [json.loads(line) for line in home.events.read_text().splitlines()]
    assert [(line["event"], line["of"], line["share"], line["spent"]) for line in lines] == [
        ("budget", "fix-bug", 0.8, 0.1), ("budget", "fix-bug", 1.0, 0.125),
    ]  # fmt: skip
    # A worker that comes later does not say it again.
    begin(home, budgets)
    assert len(home.events.read_text().splitlines()) == 2
    home.events.unlink()
    home.events.mkdir()
    accounting.use(cast(Any, SimpleNamespace(config=Config(), budgets={ID: Budgets("fix-bug", "", CENTS)})))
    assert "an event is lost" in accounting.problems()[0]


def test_a_database_of_the_last_release_gets_the_new_column(home: Home) -> None:
    accounting = begin(home)
    answer(accounting)
    accounting.close()
    with sqlite3.connect(home.usage) as db:
        db.execute("ALTER TABLE usage DROP COLUMN guessed")
        db.execute("PRAGMA user_version = 1")
    db.close()
    assert spent(begin(home)) == [CENTS] * 3
    with Ledger.open(home) as ledger:
        assert [(row.output, row.guessed) for row in ledger.read()[0]] == [(1000, 0)]
