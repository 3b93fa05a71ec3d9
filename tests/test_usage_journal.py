"""The journal of what models were asked: no line is lost but a damaged one, and a full disk is waited out."""

from __future__ import annotations

import json
import os

import pytest

from clauderon import usage_journal as module
from clauderon.paths import Home
from clauderon.usage_journal import Journal
from tests.standins.usage_lines import fold, line, sums


@pytest.mark.parametrize("without", [True, False])
def test_a_line_is_the_records_json(without: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a Python that cannot make its encoder beforehand, too."""
    if without:
        monkeypatch.setattr("json.encoder.c_make_encoder", None)
    record = line('a"\n\u2028', end=True, windows=[("5-hour", 0.5, 1e22)], other={"x": [None, True, -1]})
    encode = module._encoder()
    assert encode(record) == encode(record) == json.dumps(record, separators=(",", ":"))


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
