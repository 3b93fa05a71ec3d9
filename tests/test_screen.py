"""A terminal's screen as text: what a program drew, and nothing that drives whoever reads it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.screen import Screen, size_of
from clauderon.visible import is_hidden


def drawn(*pieces: bytes, columns: int = 20, lines: int = 5) -> list[str]:
    screen = Screen(columns, lines)
    for piece in pieces:
        screen.feed(piece)
    return [*screen.scrolled(), *screen.lines()]


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (b"one\r\ntwo\r\n", ["one", "two"]),
        (b"progress 1%\rprogress 2%", ["progress 2%"]),
        (b"a\r\n\x1b[2Jb", ["", "b"]),
        (b"\x1b[3;4Hx\x1b[1;1Hy", ["y", "", "   x"]),
        (b"abc\x1b[2D\x1b[K", ["a"]),
        (b"12345678901234567890next", ["12345678901234567890", "next"]),
        (b"\x1b[?7l12345678901234567890XY", ["1234567890123456789Y"]),
        (b"one\r\ntwo\x1b[1A\rONE\x1b[1B\x1b[0K", ["ONE", "two"]),
        (b"main\x1b[?1049h\x1b[Halt", ["alt"]),
        (b"main\x1b[?1049h\x1b[Halt\x1b[?1049l", ["main"]),
        (b"a\tb", ["a       b"]),
        ("wide 日本\r\n".encode(), ["wide 日本"]),
        (b"1\r\n2\r\n3\x1b[1S\x1b[H>", ["1", ">", "3"]),
        (b"1\r\n2\x1b[1T", ["", "1", "2"]),
        (b"-\x1b[5b", ["------"]),
        (b"\x1b[4habc\r>\x1b[4l", [">abc"]),
    ],
)
def test_the_screen_is_what_a_person_would_see(data: bytes, rows: list[str]) -> None:
    assert drawn(data) == rows


def test_lines_that_left_the_screen_come_first_and_once() -> None:
    screen = Screen(20, 3)
    screen.feed(b"".join(b"%d\r\n" % number for number in range(6)))
    assert screen.scrolled() == ["0", "1", "2", "3"]
    assert screen.scrolled() == []
    assert screen.lines() == ["4", "5"]


@pytest.mark.parametrize(
    "drive",
    [
        b"\x1b]0;owned\x07", b"\x1b]52;c;b3du\x1b\\", b"\x1bP1$r0m\x1b\\", b"\x1b_Gx\x1b\\", b"\x1b^x\x1b\\", b"\x1b[31;44m",
        b"\x1b[8m", b"\x1b[c", b"\x1b[6n", b"\x1b[>1u", b"\x1b[>4;2m", b"\x1b[?2026h", b"\x1b[5 q", b"\x1b(0", b"\x07", b"\x00",
        b"\x1b[8;999;999t", b"\x1b#8"[:0], b"\xc2\x9d0;x\xc2\x9c",
    ],
)  # fmt: skip
def test_what_only_drives_a_terminal_leaves_no_trace(drive: bytes) -> None:
    """Seen to fail when titles, the clipboard and their like were not known as sequences."""
    assert drawn(b"before " + drive + b"after") == ["before after"]
    assert drawn(b"before " + drive[:2], drive[2:] + b"after") == ["before after"]


def test_what_hides_is_spelled_out() -> None:
    text = "if a\u202e\u200b != \u2066b\u2069 \U000e0041"
    assert drawn(text.encode(), columns=80) == ["if a\\u202e\\u200b != \\u2066b\\u2069 \\U000e0041"]


def test_a_sequence_without_an_end_is_given_up() -> None:
    assert drawn(b"\x1b]0;" + b"x" * 5000, columns=80, lines=100)[-1:] != []


@given(data=st.binary(max_size=400), cut=st.integers(0, 400))
def test_no_bytes_break_it_nor_drive_the_reader(data: bytes, cut: int) -> None:
    """Seen to fail with the rows passed on as they are drawn."""
    rows = drawn(data[:cut], data[cut:])
    assert not [char for row in rows for char in row if is_hidden(char)]


SEQUENCE = st.builds(
    lambda prefix, numbers, final: f"\x1b[{prefix}{';'.join(map(str, numbers))}{final}",
    st.sampled_from(["", "?", ">", "<", "="]),
    st.lists(st.integers(0, 10**12), max_size=4),
    st.characters(min_codepoint=0x40, max_codepoint=0x7E),
)


@given(
    pieces=st.lists(
        st.one_of(SEQUENCE, st.text(max_size=5), st.sampled_from(["\n", "\r", "\x1bM"])), max_size=30
    )
)
def test_no_sequence_breaks_it(pieces: list[str]) -> None:
    drawn("".join(pieces).encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize(
    "piece", [b"\x1b[999999999S", b"\x1b[999999999L", b"a\x1b[999999999b", "\u0301".encode() * 60, b"\x1b[", b"\x1b]"]
)  # fmt: skip
def test_a_flood_costs_seconds_not_minutes(piece: bytes) -> None:
    """Seen to take minutes for combining marks, each joined to all before it, without the bound on a place; and for a
    scroll or a character that is repeated as often as it says, without the bound on each."""
    begun = time.monotonic()
    drawn(piece * 20_000, columns=200, lines=60)
    assert time.monotonic() - begun < 30


def test_the_size_is_guessed_from_where_the_cursor_was_sent() -> None:
    assert size_of(b"plain") == (80, 24)
    assert size_of(b"\x1b[40;132Hx\x1b[1;40r") == (132, 40)
    assert size_of(b"\x1b[999;999H") == (500, 200)
