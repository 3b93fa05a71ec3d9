"""What a terminal acts on or hides is spelled out; what a person reads stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon import visible


@pytest.mark.parametrize(
    ("char", "spelled"),
    [
        ("\x1b", "\\x1b"), ("\x9b", "\\x9b"), ("\x7f", "\\x7f"), ("\n", "\\n"), ("\t", "\\t"), ("\r", "\\r"),
        ("\u202e", "\\u202e"), ("\u200b", "\\u200b"), ("\u3164", "\\u3164"), ("\u2800", "\\u2800"),
        ("\U000e0041", "\\U000e0041"), ("\ufe0f", "\\ufe0f"), ("\xa0", "\\xa0"), ("\udcff", "\\xff"),
    ],
)  # fmt: skip
def test_what_hides_is_spelled_out(char: str, spelled: str) -> None:
    assert visible.is_hidden(char)
    assert visible.line(f"a{char}b") == f"a{spelled}b"


@pytest.mark.parametrize("text", ["plain", "naïve ✓ 日本", "ein\u3000zwei", "a b"])
def test_what_is_read_stays(text: str) -> None:
    assert visible.line(text) == visible.lines(text) == text


def test_lines_keep_their_ends_and_a_line_has_none() -> None:
    assert visible.lines("a\n\tb\r") == "a\n\tb\\r"
    assert visible.line("a\n\tb") == "a\\n\\tb"


@given(st.text(st.characters()))
def test_nothing_hidden_is_left(text: str) -> None:
    assert not any(map(visible.is_hidden, visible.line(text)))
    assert not any(map(visible.is_hidden, visible.lines(text).replace("\n", "").replace("\t", "")))


def test_an_escape_can_be_told_from_the_same_characters() -> None:
    table = visible.Visible(also="\\", mark=("<", ">"))
    assert "\x1b \\x1b".translate(table) == "<\\x1b> \\\\x1b"
