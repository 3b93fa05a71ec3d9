"""Heads of responses, as tables: how long the body is, whether the connection ends, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.proxy.http.fields import HeadError
from clauderon.proxy.http.reply import parse_response
from clauderon.proxy.http.request import CHUNKED, UNTIL_CLOSE


def _wire(text: str) -> bytes:
    return text.replace("|", "\r\n").encode("latin-1") + b"\r\n\r\n"


@pytest.mark.parametrize(
    ("text", "method", "length", "close"),
    [
        ("HTTP/1.1 200 OK|Content-Length: 5", b"GET", 5, False),
        ("HTTP/1.1 200|Content-Length: 0", b"GET", 0, False),
        ("HTTP/1.1 200 |Transfer-Encoding: chunked", b"GET", CHUNKED, False),
        ("HTTP/1.1 200 OK|Transfer-Encoding: gzip, chunked", b"GET", CHUNKED, False),
        ("HTTP/1.1 200 OK", b"GET", UNTIL_CLOSE, True),
        ("HTTP/1.0 200 OK|Content-Length: 5", b"GET", 5, True),
        ("HTTP/1.0 200 OK|Content-Length: 5|Connection: Keep-Alive", b"GET", 5, False),
        ("HTTP/1.1 200 OK|Content-Length: 5|Connection: close", b"GET", 5, True),
        ("HTTP/1.1 200 OK|Content-Length: 5", b"HEAD", 0, False),
        ("HTTP/1.1 204 No Content", b"GET", 0, False),
        ("HTTP/1.1 304 Not Modified|Content-Length: 5", b"GET", 0, False),
        ("HTTP/1.1 100 Continue", b"POST", 0, False),
    ],
)
def test_a_response_has_this_body(text: str, method: bytes, length: int, close: bool) -> None:
    head = parse_response(_wire(text), method)
    assert (head.length, head.close) == (length, close)


@pytest.mark.parametrize(
    "text",
    [
        "HTTP/2 200 OK", "HTTP/1.2 200 OK", "HTTP/1.1 20 OK", "HTTP/1.1 099 OK", "HTTP/1.1  200 OK", "http/1.1 200 OK", "200 OK", "",
        "HTTP/1.1 200 OK|Content-Length: 5|Content-Length: 5", "HTTP/1.1 200 OK|Content-Length: 5, 5",
        "HTTP/1.1 200 OK|Content-Length: +5", "HTTP/1.1 200 OK|Content-Length:", "HTTP/1.1 200 OK|Content-Length: 0x5",
        "HTTP/1.1 200 OK|Content-Length: 5|Transfer-Encoding: chunked", "HTTP/1.0 200 OK|Transfer-Encoding: chunked",
        "HTTP/1.1 200 OK|Transfer-Encoding: chunked, gzip", "HTTP/1.1 200 OK|Transfer-Encoding: identity",
        "HTTP/1.1 200 OK|Transfer-Encoding: chunked|Transfer-Encoding: chunked", "HTTP/1.1 200 OK|Transfer-Encoding: xchunked",
        "HTTP/1.1 200 OK| folded: x", "HTTP/1.1 200 OK|a b: x", "HTTP/1.1 200 OK|a : x", "HTTP/1.1 200 OK|no colon", "HTTP/1.1 200 OK|a: \x00",
        "HTTP/1.1 200 OK|a: b\nc: d", "HTTP/1.1 200 OK|a: b\rc: d",
    ],
)  # fmt: skip
def test_a_response_that_two_parsers_read_differently_is_refused(text: str) -> None:
    with pytest.raises(HeadError) as caught:
        parse_response(_wire(text), b"GET")
    assert caught.value.status == 502


@pytest.mark.parametrize(
    ("text", "partial"),
    [
        ("HTTP/1.1 206 Partial", True), ("HTTP/1.1 226 IM Used", True), ("HTTP/1.1 200 OK", False),
        ("HTTP/1.1 200 OK|Content-Range: bytes 0-1/2", True), ("HTTP/1.1 416 No|Content-Range: bytes */2", False),
        ("HTTP/1.1 200 OK|Content-Type: multipart/ByteRanges; boundary=x", True), ("HTTP/1.1 200 OK|Content-Type: text/plain", False),
    ],
)  # fmt: skip
def test_a_part_of_an_answer_is_known_for_one(text: str, partial: bool) -> None:
    assert parse_response(_wire(text), b"GET").partial is partial


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("HTTP/1.1 200 OK", b""), ("HTTP/1.1 200 OK|Content-Encoding: gzip", b"gzip"),
        ("HTTP/1.1 200 OK|Content-Encoding: gzip|Content-Encoding: br", b"gzip, br"),
        ("HTTP/1.1 200 OK|Content-Encoding: br|Transfer-Encoding: gzip, chunked", b"br,gzip, "),
    ],
)  # fmt: skip
def test_codings_are_listed_in_the_order_they_were_applied(text: str, encoding: bytes) -> None:
    assert parse_response(_wire(text), b"GET").encoding == encoding


@given(st.binary(max_size=60))
def test_whatever_a_head_holds_it_is_a_head_or_refused(data: bytes) -> None:
    for wire in (data + b"\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + data + b"\r\n\r\n"):
        try:
            head = parse_response(wire, b"GET")
        except HeadError as error:
            assert error.status == 502
        else:
            assert head.length >= UNTIL_CLOSE
