"""The worker's bookkeeping of what models were asked: nothing without a request, and no work twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from clauderon.config.schema import Config
from clauderon.ledger import Ledger
from clauderon.paths import Home
from clauderon.proxy.daemon.accounting import Accounting
from clauderon.proxy.usage.amounts import Usage
from clauderon.proxy.usage.apis import ANTHROPIC

SESSION = ("0123456789ab", "fix-bug", "")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


def test_no_request_to_a_model_leaves_no_file(home: Home) -> None:
    """Seen to fail when the journal was opened to see whether anything waits: a database came into every home."""
    accounting = Accounting(home, Config())
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
    accounting = Accounting(home, Config())
    for _ in range(2):
        accounting.meter.write(SESSION, ANTHROPIC, True, "one", Usage("m", 3, output=4))
        for _ in range(3):
            accounting._fold()
    assert len(folded) == 2
    later = Accounting(home, Config())
    for _ in range(3):
        later._fold()
    assert len(folded) == 3
    with Ledger.open(home) as ledger:
        assert [(row.requests, row.output) for row in ledger.read()[0]] == [(2, 8)]
    accounting.close()
    later.close()
