"""The same refusal again is counted, and what counts alone has its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clauderon.proxy.audit import share
from tests.proxy.audit.records import record
from tests.proxy.audit.refused import REFUSED, _files, _written


@pytest.fixture(autouse=True)
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share, "_REST_S", 0.0)


def _stands_for(line: dict[str, Any]) -> int:
    return int(line.get("repeated", line.get("others", 1)))


def test_the_same_refusal_is_counted(path: Path) -> None:
    """Seen to fail with a line for each: 10,000 of them."""
    lines = _written(path, [record(**REFUSED)] * 10_000)
    assert len(lines) < 500
    assert sum(_stands_for(line) for line in lines) == 10_000
    assert lines[0].keys() == _written(path.with_name("x"), [record()])[0].keys(), "the first is as ever"


def test_different_refusals_are_counted_by_their_rule(path: Path) -> None:
    """The attack: 40,140 refused requests with paths of 2 KiB. Seen to fail with a line for each: 80 MB."""
    flood = [record(n, "evil", **REFUSED)._replace(path=f"/{n}" + "\udcff" * 300) for n in range(40_140)]
    flood[20_000:20_000] = [record(n, "good") for n in range(30)]
    lines = _written(path, flood)
    evil = [line for line in lines if line["session"] == "evil"]
    assert sum(_stands_for(line) for line in evil) == 40_140
    assert sum(file.stat().st_size for file in _files(path)) < 4 << 20
    assert len([line for line in lines if line["session"] == "good"]) == 30


@pytest.mark.parametrize("change", [{}, {"credential": "github", **REFUSED}], ids=["passed", "lent"])
def test_what_passed_or_was_lent_a_credential_always_has_its_line(path: Path, change: dict[str, Any]) -> None:
    assert len(_written(path, [record(1, **change)] * 3000)) == 3000


def test_failures_are_counted_as_refusals_are(path: Path) -> None:
    lines = _written(path, [record(error="client-tls", kind="connection", status=0)] * 5000)
    assert len(lines) < 300 and sum(_stands_for(line) for line in lines) == 5000


def test_counts_are_each_sessions_own(path: Path) -> None:
    _lines = _written(
        path,
        [record(n, "evil", **REFUSED) for n in range(3000)]
        + [record(n, "good", **REFUSED) for n in range(100)],
    )
    assert len([line for line in _lines if line["session"] == "good"]) == 100
