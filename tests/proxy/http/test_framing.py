"""Where a body ends, as tables: whole, cut anywhere, and with something behind it that is not the body's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.proxy.http.framing import (
    MAX_LINE,
    MAX_TRAILER,
    Chunked,
    Framing,
    FramingError,
    Length,
    UntilClose,
    not_in_trailers,
    request_framing,
    response_framing,
)
from clauderon.proxy.http.request import CHUNKED, UNTIL_CLOSE

NEXT = b"GET / HTTP/1.1\r\n"
REFUSED = not_in_trailers(frozenset({b"x-api-key"}))


def _request() -> Chunked:
    return Chunked(REFUSED)


def _fed(framing: Framing, *pieces: bytes) -> int:
    """How many bytes in all were the body's."""
    return sum(framing.feed(piece) for piece in pieces)


@pytest.mark.parametrize("size", [0, 1, 5, 70_000])
def test_a_length_takes_so_many_bytes_and_no_more(size: int) -> None:
    framing = Length(size)
    assert framing.done is (size == 0)
    assert _fed(framing, b"x" * size + NEXT) == size
    assert framing.done


def test_a_body_until_the_end_takes_everything() -> None:
    framing = UntilClose()
    assert _fed(framing, b"abc", NEXT) == 3 + len(NEXT)
    assert not framing.done


GOOD = [
    b"0\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n", b"1\r\na\r\nA\r\n0123456789\r\n0\r\n\r\n", b"005\r\nhello\r\n000\r\n\r\n",
    b"5;a\r\nhello\r\n0\r\n\r\n", b"5;a=b;c=\"d\\\" ;e\"\r\nhello\r\n0;z\r\n\r\n", b"2\r\n\r\n\r\n0\r\n\r\n",
    b"0\r\nX-Check: 1\r\nOther:\r\n\r\n", b"3\r\n0\r\n\r\n0\r\n\r\n",
]  # fmt: skip
BAD = [
    b"x\r\n", b"-1\r\n", b"+5\r\n", b"0x5\r\n", b" 5\r\n", b"5 \r\n", b"5\n", b"5\r5", b"\r\n", b"1234567890abcdef\r\n", b"5;\r\n", b"5;a=\r\n",
    b"5;a b\r\n", b"5;a=\"\n\"\r\n", b"5\r\nhelloX", b"5\r\nhello\n0", b"5\r\nhello\r0", b"0\r\nno colon\r\n", b"0\r\n folded\r\n", b"0\r\na : b\r\n",
    b"0\r\na: \x00\r\n", b"0\r\na: b\n\n",
]  # fmt: skip


@pytest.mark.parametrize("body", GOOD)
def test_a_chunked_body_ends_where_it_ends_however_it_is_cut(body: bytes) -> None:
    for cut in range(len(body) + 1):
        framing = _request()
        used = framing.feed(body[:cut]) if cut else 0
        assert used == cut
        assert _fed(framing, body[cut:] + NEXT) == len(body) - cut if cut < len(body) else framing.done
    framing = _request()
    assert _fed(framing, *(bytes([byte]) for byte in body)) == len(body)
    assert framing.done


@pytest.mark.parametrize("body", BAD)
def test_a_broken_chunk_is_refused_however_it_is_cut(body: bytes) -> None:
    for cut in range(len(body)):
        framing = _request()
        with pytest.raises(FramingError):
            if cut:
                framing.feed(body[:cut])
            framing.feed(body[cut:])


@pytest.mark.parametrize(
    "name",
    [
        "Content-Length", "transfer-encoding", "Host", "Connection", "Authorization", "Cookie", "X-Api-Key", "x_api_key", "Range", "X_Range",
        "X-HTTP-Method-Override", "X-Original-URL", "Accept_Encoding", "Trailer",
    ],
)  # fmt: skip
def test_a_field_that_belongs_in_the_head_is_not_taken_in_a_trailer(name: str) -> None:
    body = b"0\r\n%b: 1\r\n\r\n" % name.encode()
    for cut in range(1, len(body)):
        with pytest.raises(FramingError):
            _fed(_request(), body[:cut], body[cut:])


def test_lines_and_trailers_have_a_longest_length() -> None:
    for size in (1, 7, 4096):
        endless = b"5;" + b"a" * (MAX_LINE + 10)
        with pytest.raises(FramingError):
            _fed(_request(), *(endless[i : i + size] for i in range(0, len(endless), size)))
        endless = b"0\r\n" + b"a: b\r\n" * MAX_TRAILER
        with pytest.raises(FramingError):
            _fed(_request(), *(endless[i : i + size] for i in range(0, len(endless), size)))


def test_a_response_may_pad_its_sizes_and_a_request_may_not() -> None:
    body = b"5  \r\nhello\r\n0\t\r\n\r\n"
    framing = response_framing(CHUNKED)
    assert _fed(framing, body) == len(body) and framing.done
    with pytest.raises(FramingError):
        request_framing(CHUNKED, frozenset()).feed(body)


@pytest.mark.parametrize(("length", "kind"), [(0, Length), (7, Length), (CHUNKED, Chunked)])
def test_a_length_names_its_framing(length: int, kind: type) -> None:
    assert type(request_framing(length, frozenset())) is kind
    assert type(response_framing(length)) is kind
    assert type(response_framing(UNTIL_CLOSE)) is UntilClose


_CHUNKS = st.lists(st.binary(min_size=1, max_size=20), max_size=5)


@given(_CHUNKS, st.lists(st.integers(1, 9), min_size=1, max_size=20))
def test_the_spans_are_the_bytes_of_the_body(chunks: list[bytes], sizes: list[int]) -> None:
    wire = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\nA: b\r\n\r\n"
    framing, found, at, turn = _request(), b"", 0, 0
    while at < len(wire):
        piece = wire[at : at + sizes[turn % len(sizes)]]
        framing.spans = []
        assert framing.feed(piece) == len(piece)
        found += b"".join(piece[first:last] for first, last in framing.spans)
        at, turn = at + len(piece), turn + 1
    assert framing.done
    assert found == b"".join(chunks)
