"""Texts as a table that fits its terminal."""

from __future__ import annotations

import pytest

from clauderon import cells
from clauderon.cells import Column

ROWS = [
    {"name": "fix", "status": "failed (3)", "own_branch": "", "image": "registry.test/claude-code:latest"},
    {"name": "other-one", "status": "done", "own_branch": "", "image": "a:1"},
]
WIDE = (
    Column("name", "NAME"),
    Column("status", "STATE", {"failed": "red"}),
    Column("own_branch", "BRANCH", optional=True),
    Column("image", "IMAGE"),
)


def test_a_table_has_no_column_that_says_nothing() -> None:
    assert cells.table(ROWS, WIDE, color=False).splitlines()[0].split() == ["NAME", "STATE", "IMAGE"]
    named = [{**ROWS[0], "own_branch": "topic"}]
    assert cells.table(named, WIDE, color=False).splitlines()[0].split() == [
        "NAME",
        "STATE",
        "BRANCH",
        "IMAGE",
    ]


@pytest.mark.parametrize(
    ("width", "last"), [(200, "registry.test/claude-code:latest"), (40, "…aude-code:latest"), (24, "(3)")]
)
def test_a_row_is_a_line_of_the_terminal(width: int, last: str) -> None:
    lines = cells.table(ROWS, WIDE, color=False, width=width).splitlines()
    assert lines[1].split()[-1] == last
    assert all(len(line) <= width for line in lines)


def test_the_status_of_what_failed_has_the_colour_of_failed() -> None:
    assert "\x1b[31mfailed (3)\x1b[0m" in cells.table(ROWS, WIDE, color=True)


def test_a_person_reads_a_time_as_a_clock_shows_it() -> None:
    for key in ("created_at", "last_activity"):
        assert cells.person_text(key, 1795987838.548)[:3] == "202"
        assert cells.person_text(key, None) == ""
    assert cells.person_text("cost", 2.5) == "2.5"
