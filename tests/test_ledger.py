"""The ledger forgets nothing that a killed worker wrote, counts nothing twice, and waits out a full disk."""

from __future__ import annotations

import os

import pytest

from clauderon import usage_journal as module
from clauderon.ledger import Ledger, Window
from clauderon.paths import Home
from clauderon.usage_journal import Journal
from tests.standins.usage_lines import NOW, fold, line, sums


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


def test_a_damaged_beginning_is_no_request_and_stops_no_fold(home: Home) -> None:
    """Seen to fail without `drop_damaged`: no worker could fold any more."""
    home.usage_journals.mkdir()
    begun = b'{"id":"a","end":false,"worker":"w0",'
    ends = (
        b"",
        b"\0\0",
        begun,
        b'"time":1}',
        b'"time":"x","session":"s","name":"n","team":"","api":"a","model":""}',
    )
    (home.usage_journals / "0").write_bytes(b"".join(begun + end + b"\n" for end in ends))
    with Ledger.open(home) as ledger:
        assert ledger.totals(0) == []
    fold(home)
    assert sums(home) == []


def test_a_request_that_no_model_answered_is_none(home: Home) -> None:
    journal = Journal(home)
    journal.append(line("a", end=False))
    journal.append({"id": "a", "end": True, "nothing": True})
    journal.close()
    fold(home, "w2")
    assert sums(home) == []


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
