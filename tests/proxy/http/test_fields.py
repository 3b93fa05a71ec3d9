"""Header lines judged one by one: what two parsers could read differently is refused, and no secret is remembered."""

from __future__ import annotations

import re

import pytest

from clauderon.proxy.http.fields import MAX_FIELDS, FieldTable, HeadError, parse_length, split_head

HOST, KEY, COOKIE = 1, 2, 3


@pytest.fixture
def table() -> FieldTable:
    codes = {b"host": HOST, b"x-api-key": KEY, b"connection": COOKIE}
    return FieldTable(codes, status=400, forgotten=frozenset({KEY}), only={COOKIE: re.compile(rb"close")})


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        (b"Host: a.test", (HOST, b" a.test")),
        (b"HOST:a.test", (HOST, b"a.test")),
        (b"Accept: */*", False),
        (b"X-Odd:", False),
        (b"Connection: close", (COOKIE, b" close")),
        (b"Connection: keep-alive", False),
    ],
)
def test_what_a_line_means(table: FieldTable, line: bytes, meaning: object) -> None:
    assert table.meaning(line) == meaning
    assert table.known[line] == meaning


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b" folded", "folded"),
        (b"\tfolded: x", "folded"),
        (b"no colon", "without a colon"),
        (b"bad name: x", "without a proper name"),
        (b": x", "without a colon, or without a proper name"),
        (b"Host : x", "proper name"),
        (b"X: a\x00b", "control character"),
        (b"X: a\rb", "control character"),
        (b"X: a\nY: b", "control character"),
        (b"X\xe9: b", "proper name"),
    ],
)
def test_a_line_that_two_parsers_read_differently_is_refused(
    table: FieldTable, line: bytes, why: str
) -> None:
    with pytest.raises(HeadError, match=why) as caught:
        table.meaning(line)
    assert caught.value.status == 400 and line not in table.known


def test_a_secret_is_never_remembered(table: FieldTable) -> None:
    table.meaning(b"X-Api-Key: sk-test-not-a-real-key")
    table.meaning(b"X: " + b"y" * 1000)
    assert table.known == {}


def test_what_is_remembered_is_bounded(table: FieldTable) -> None:
    for number in range(5000):
        table.meaning(b"X-%d: y" % number)
    assert len(table.known) <= 2048


def test_a_head_of_too_many_lines_is_refused() -> None:
    assert split_head(b"GET / HTTP/1.1\r\nA: b\r\n\r\n", 400) == [b"GET / HTTP/1.1", b"A: b"]
    wire = b"X: y\r\n" * (MAX_FIELDS + 1) + b"\r\n"
    for status, answered in ((400, 431), (502, 502)):
        with pytest.raises(HeadError) as caught:
            split_head(wire, status)
        assert caught.value.status == answered


@pytest.mark.parametrize("text", [b"", b"-1", b"+1", b"1 ", b"0x10", b"1_0", b"1,1", "٣".encode(), b"9" * 19])
def test_a_length_is_one_plain_number(text: bytes) -> None:
    assert parse_length(b"0010", 400) == 10
    with pytest.raises(HeadError):
        parse_length(text, 400)
