"""The ledger forgets nothing that a killed worker wrote, counts nothing twice, and waits out a full disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from clauderon import usage_journal as module
from clauderon.ledger import Ledger, Window
from clauderon.paths import Home
from clauderon.usage_journal import Journal

NOW = 1_800_000_000.0


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


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


def test_lines_count_once_folded_or_not(home: Home) -> None:
    journal = Journal(home)
    for number in range(3):
        journal.append(line(str(number), end=False))
        journal.append(line(str(number), end=True))
        assert sums(home) == [("m", number + 1, 0, 7 * (number + 1))]
        fold(home)
        fold(home)
        assert sums(home) == [("m", number + 1, 0, 7 * (number + 1))]
    journal.close()


def test_what_a_killed_worker_had_begun_is_unknown_and_what_it_ended_is_kept(home: Home) -> None:
    killed = Journal(home)
    killed.append(line("a", end=False))
    killed.append(line("b", end=False))
    killed.append(line("b", end=True))
    os.close(killed._fd)
    fold(home, "w1")
    assert sums(home) == [("m", 1, 0, 7)]
    fold(home, "w2")
    fold(home, "w2")
    assert sums(home) == [("", 1, 1, 0), ("m", 1, 0, 7)]


def test_a_request_that_no_model_answered_is_none(home: Home) -> None:
    journal = Journal(home)
    journal.append(line("a", end=False))
    journal.append({"id": "a", "end": True, "nothing": True})
    journal.close()
    fold(home, "w2")
    assert sums(home) == []


def test_half_a_line_waits_for_its_other_half(home: Home) -> None:
    journal = Journal(home)
    journal.append(line("a", end=True))
    path = home.usage_journals / "0"
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:20])
    fold(home)
    assert sums(home) == [("m", 1, 0, 7)]
    path.write_bytes(whole + whole)
    fold(home)
    assert sums(home) == [("m", 2, 0, 14)]
    journal.close()


def test_a_damaged_line_loses_nothing_but_itself(home: Home) -> None:
    home.usage_journals.mkdir()
    (home.usage_journals / "0").write_bytes(b'\0\0\n{}\n[]\nnull\n{"end": true}\n')
    journal = Journal(home)
    journal.append(line("a", end=True))
    journal.close()
    fold(home)
    assert sums(home) == [("m", 1, 0, 7)]


def test_a_long_journal_is_followed_by_another_and_removed(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROTATE_BYTES", 10)
    journal = Journal(home)
    journal.append(line("a", end=True))
    journal.rotate()
    journal.append(line("b", end=True))
    quiet = (home.usage_journals / "0").stat().st_mtime + 61
    assert sums(home) == [("m", 2, 0, 14)]
    fold(home, now=quiet - 30)
    assert sums(home) == [("m", 2, 0, 14)]
    fold(home, now=quiet)
    assert [path.name for path in home.usage_journals.iterdir()] == ["1"]
    assert sums(home) == [("m", 2, 0, 14)]
    journal.close()


def test_a_full_disk_keeps_the_lines_in_memory_and_says_so(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(home)
    journal.append(line("a", end=True))
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:9]))
    journal.append(line("b", end=True))
    assert "disk is full" in journal.problem
    monkeypatch.undo()
    assert sums(home) == [("m", 1, 0, 7)]
    journal.append(line("c", end=True))
    assert journal.problem == ""
    assert sums(home) == [("m", 3, 0, 21)]
    journal.close()


def test_hours_before_a_time_are_left_out(home: Home) -> None:
    journal = Journal(home)
    journal.append(line("a", end=True))
    journal.append(line("b", end=True, time=NOW - 7200))
    journal.close()
    with Ledger.open(home) as ledger:
        assert [row.requests for row in ledger.read(NOW - 3600)[0]] == [1]
        ledger.fold("w1", now=NOW)
        assert [row.requests for row in ledger.read(NOW - 3600)[0]] == [1]


def test_the_newest_word_about_a_window_counts(home: Home) -> None:
    journal = Journal(home)
    for time, used in ((NOW, 0.2), (NOW + 1, 0.4)):
        journal.append(
            {"api": "anthropic", "credential": "a", "time": time, "windows": [["5-hour", used, NOW + 60]]}
        )
        with Ledger.open(home) as ledger:
            assert ledger.read()[1] == [Window("anthropic", "a", "5-hour", used, NOW + 60, time)]
        fold(home)
    journal.close()
