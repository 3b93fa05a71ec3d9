"""Lines of the journal of usage, and what the ledger makes of them."""

from __future__ import annotations

from typing import Any

from clauderon.ledger import Ledger
from clauderon.paths import Home

NOW = 1_800_000_000.0


def line(one: str, *, end: bool, worker: str = "w1", **more: Any) -> dict[str, Any]:
    base = {
        "id": one, "end": end, "worker": worker, "time": NOW, "session": "s1", "name": "fix-bug", "team": "",
        "api": "anthropic", "model": "m" if end else "",
    }  # fmt: skip
    return base | ({"requests": 1, "input": 5, "output": 7, "nano": 11} if end else {}) | more


def fold(home: Home, worker: str = "w1", now: float = NOW) -> None:
    with Ledger.open(home) as ledger:
        ledger.fold(worker, now=now)


def sums(home: Home) -> list[tuple[str, int, int, int]]:
    with Ledger.open(home) as ledger:
        return sorted((row.model, row.requests, row.unknown, row.output) for row in ledger.read()[0])
