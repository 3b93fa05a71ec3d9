"""A line that is typed and not shown."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import pytest

from tests.standins.controlled import Terminal

PROGRAM = """
import sys
from clauderon import proc
try:
    line = proc.hidden_line("Say: ")
except proc.NotALine as error:
    sys.exit(f"not a line: {error}")
sys.stdout.write(f"{len(line)} bytes")
"""


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (b"hidden\n", "6 bytes"),
        (b"hid\x7fden\n", "5 bytes"),
        (b"hidden\x15x\n", "1 bytes"),
        (b"hidden\x04", "6 bytes"),
        (b"hidden\x04\x04", "6 bytes"),
        (b"hidden\nmore", "not a line: more than one"),
        (b"a" * 4094 + b"\n", "not a line: it is longer"),
        (b"a" * 9000 + b"\n", "not a line: it is longer"),
        (b"hidden\nmore\n", "not a line: more than one"),
    ],
    ids=[
        "a line",
        "corrected",
        "begun anew",
        "ctrl-d",
        "ctrl-d twice",
        "a line and more",
        "long",
        "cut",
        "two lines",
    ],
)
def test_what_is_typed_is_taken_and_not_shown(tmp_path: Path, typed: bytes, says: str) -> None:
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with contextlib.closing(Terminal([sys.executable, "-c", PROGRAM], environ, tmp_path)) as terminal:
        terminal.until("Say: ")
        assert not terminal.echoes
        terminal.type(typed)
        terminal.end()
        assert says in terminal.shown and terminal.echoes
        assert "hid" not in terminal.shown and "aaa" not in terminal.shown


def test_a_question_is_seen_where_stderr_goes_elsewhere(tmp_path: Path) -> None:
    """Nobody waits for an answer to what was never asked."""
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    words = ["sh", "-c", 'exec "$@" 2>/dev/null', "sh", sys.executable, "-c", PROGRAM]
    with contextlib.closing(Terminal(words, environ, tmp_path)) as terminal:
        terminal.until("Say: ")
        terminal.type(b"hidden\n")
        assert terminal.end() == 0
