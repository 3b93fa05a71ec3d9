"""Where tests are: none in a file so long that nobody finds it."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
MOST_LINES = 400


def test_a_test_file_is_short() -> None:
    lengths = {
        str(path.relative_to(TESTS)): len(path.read_text().splitlines()) for path in TESTS.rglob("*.py")
    }
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}
