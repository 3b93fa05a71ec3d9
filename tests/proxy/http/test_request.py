"""Heads of requests, as tables: what is read from them, what is refused, and what travels on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.proxy.http.fields import MAX_FIELDS, HeadError
from clauderon.proxy.http.request import (
    CHUNKED,
    PARTS,
    RequestHead,
    absolute_form,
    parse_request,
    request_table,
    split_absolute,
    split_target,
)

TABLE = request_table([b"authorization", b"x-api-key"])
FIRST = "GET / HTTP/1.1|Host: api.test"


def _wire(text: str) -> bytes:
    return text.replace("|", "\r\n").encode("latin-1") + b"\r\n\r\n"


def _parse(text: str) -> RequestHead:
    return parse_request(_wire(text), TABLE)


def _rendered(text: str, *, injected: bytes | None = None, strip: bool = False, plain: bool = False) -> str:
    """What travels on, without its empty line; lines separated by `|`."""
    wire = _parse(text).render(injected=injected, strip=strip, plain=plain)
    assert wire.endswith(b"\r\n\r\n") and wire.count(b"\r\n\r\n") == 1
    return wire[:-4].decode("latin-1").replace("\r\n", "|")


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", 400), ("GET /", 400), ("GET  / HTTP/1.1|Host: a", 400), ("GET /\t HTTP/1.1|Host: a", 400), (" GET / HTTP/1.1|Host: a", 400),
        ("GET / HTTP/1.1 |Host: a", 400), ("GET /#x HTTP/1.1|Host: a", 400), ("GET /\x7f HTTP/1.1|Host: a", 400), ("G(T / HTTP/1.1|Host: a", 400),
        (f"{'G' * 65} / HTTP/1.1|Host: a", 400), ("GET / http/1.1|Host: a", 400), ("GET / HTTP/2.0|Host: a", 505), ("GET / HTTP/1.2|Host: a", 505),
        ("GET / HTTP/0.9", 505), ("GET / HTTP/1.10|Host: a", 400), ("GET / HTTP/1.1", 400), (f"{FIRST}|Host: api.test", 400),
        (f"{FIRST}| x: folded", 400), (f"{FIRST}|x : y", 400), (f"{FIRST}|: y", 400), (f"{FIRST}|x", 400), (f"{FIRST}|x: \x00", 400),
        (f"{FIRST}|x: a\rb: c", 400), (f"{FIRST}|x: a\nb: c", 400), (f"{FIRST}|x\xe4: y", 400),
        (f"{FIRST}|Content-Length: 1|Content-Length: 1", 400), (f"{FIRST}|Content-Length: 1, 1", 400), (f"{FIRST}|Content-Length: -1", 400),
        (f"{FIRST}|Content-Length: 1e3", 400), (f"{FIRST}|Content-Length:\t1", 400), (f"{FIRST}|Content-Length: {'9' * 19}", 400),
        (f"{FIRST}|Content-Length: 1|Transfer-Encoding: chunked", 400), ("POST / HTTP/1.0|Transfer-Encoding: chunked", 400),
        (f"{FIRST}|Transfer-Encoding: gzip, chunked", 501), (f"{FIRST}|Transfer-Encoding: chunked, chunked", 501),
        (f"{FIRST}|Transfer-Encoding: \x0bchunked", 400), (f"{FIRST}|Transfer-Encoding: \xa0chunked", 501),
        (f"{FIRST}|Transfer-Encoding: chunked|Transfer-Encoding: chunked", 400), (f"{FIRST}|Upgrade: a|Upgrade: b", 400),
        (FIRST + "|x: y" * MAX_FIELDS, 431),
    ],
)  # fmt: skip
def test_a_head_that_two_parsers_read_differently_is_refused(text: str, status: int) -> None:
    with pytest.raises(HeadError) as caught:
        _parse(text)
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        ("", 0),
        ("|Content-Length: 0", 0),
        ("|content-length:  12 ", 12),
        ("|Transfer-Encoding:  Chunked ", CHUNKED),
    ],
)
def test_a_request_has_this_body(fields: str, length: int) -> None:
    assert _parse(FIRST + fields).length == length


@pytest.mark.parametrize(
    ("text", "close"),
    [(FIRST, False), (f"{FIRST}|Connection: close", True), (f"{FIRST}|Connection: x, Close", True),
     (f"{FIRST}|Connection: keep-alive", False), ("GET / HTTP/1.0", True), ("GET / HTTP/1.0|Connection: keep-alive", True)],
)  # fmt: skip
def test_a_connection_ends_after_this_request(text: str, close: bool) -> None:
    assert _parse(text).close is close


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        (f"{FIRST}|X-Odd:  a  b |accept:*/*", f"{FIRST}|X-Odd:  a  b |accept:*/*"),
        (f"{FIRST}|Connection: keep-alive|Keep-Alive: 5", f"{FIRST}|Connection: keep-alive|Keep-Alive: 5"),
        (f"{FIRST}|Connection: close, X-Hop|X-Hop: 1|A: b", f"{FIRST}|A: b"),
        (f"{FIRST}|Connection: x-hop|Connection: te|X-HOP: 1|TE: trailers", f"{FIRST}|Connection: te|TE: trailers"),
        (f"{FIRST}|Connection: host, content-length|Content-Length: 2", f"{FIRST}|Content-Length: 2"),
        (f"{FIRST}|Proxy-Authorization: Basic eA==|Proxy-Connection: close|A: b", f"{FIRST}|A: b"),
        (f"{FIRST}|Upgrade: websocket|A: b", f"{FIRST}|A: b"),
        (f"{FIRST}|Connection: upgrade|Upgrade: websocket", f"{FIRST}|Connection: upgrade|Upgrade: websocket"),
        (f"{FIRST}|Connection: Upgrade, HTTP2-Settings|Upgrade: h2c|HTTP2-Settings: x", FIRST),
    ],
)  # fmt: skip
def test_what_concerns_one_hop_does_not_travel_on(text: str, sent: str) -> None:
    assert _rendered(text) == sent


@pytest.mark.parametrize(
    "name", ["Authorization", "authorization", "X-Api-Key", "x_api_key", "X_API-KEY", "x-api_key"]
)
def test_a_credential_is_known_in_every_spelling(name: str) -> None:
    text = f"{FIRST}|{name}: mine|A: b"
    assert _rendered(text) == text
    assert _rendered(text, strip=True) == f"{FIRST}|A: b"
    assert _rendered(text, strip=True, injected=b"authorization: ours") == f"{FIRST}|authorization: ours|A: b"


def test_every_credential_goes_and_ours_comes_once() -> None:
    text = f"{FIRST}|Authorization: 1|A: b|X-Api-Key: 2|authorization: 3"
    assert _rendered(text, strip=True, injected=b"x-api-key: ours") == f"{FIRST}|x-api-key: ours|A: b"
    assert _rendered(FIRST, strip=True, injected=b"x-api-key: ours") == f"{FIRST}|x-api-key: ours"
    assert _rendered(f"{FIRST}|Connection: close", strip=True, injected=b"k: v") == f"{FIRST}|k: v"


@pytest.mark.parametrize("name", [name.decode() for name in PARTS])
def test_no_part_is_asked_for_where_the_answer_is_looked_through(name: str) -> None:
    text = f"{FIRST}|{name}: bytes=0-1"
    assert (_rendered(text), _rendered(text, plain=True)) == (text, FIRST)
    assert _rendered(text.replace("-", "_"), plain=True) == FIRST.replace("-", "_")


def test_no_coding_is_asked_for_where_the_answer_is_looked_through() -> None:
    text = f"{FIRST}|Accept-Encoding: gzip|A: b|accept_encoding: br"
    assert _rendered(text, plain=True) == f"{FIRST}|Accept-Encoding: identity|A: b"


def test_another_first_line_replaces_the_targets_form() -> None:
    head = _parse("GET http://api.test/x HTTP/1.1|Host: api.test")
    assert head.render(injected=None, strip=False, first_line=b"GET /x HTTP/1.1") == _wire(
        "GET /x HTTP/1.1|Host: api.test"
    )


@pytest.mark.parametrize(
    ("target", "parts", "path"),
    [
        (b"http://api.test/x?y", (b"http", b"api.test", b"/x?y"), b"/x"), (b"HTTPS://Api.Test:1", (b"https", b"Api.Test:1", b"/"), b"/"),
        (b"http://api.test?y", (b"http", b"api.test", b"/?y"), b""), (b"/x?y", None, b"/x"), (b"ftp://api.test/", None, b"ftp://api.test/"),
        (b"*", None, b"*"), (b"//api.test/x", None, b"//api.test/x"), (b"http:/x", None, b"http:/x"),
    ],
)  # fmt: skip
def test_a_target_is_taken_apart(
    target: bytes, parts: tuple[bytes, bytes, bytes] | None, path: bytes
) -> None:
    assert split_absolute(target) == parts
    assert split_target(target)[0] == path


def test_a_proxy_above_is_told_the_whole_url_and_the_authorization() -> None:
    wire = _wire("GET /x HTTP/1.1|A: b")
    assert absolute_form(wire, b"api.test", b"") == _wire("GET http://api.test/x HTTP/1.1|A: b")
    assert absolute_form(wire, b"api.test:81", b"Basic eA==") == _wire(
        "GET http://api.test:81/x HTTP/1.1|Proxy-Authorization: Basic eA==|A: b"
    )


@given(
    st.lists(
        st.sampled_from(
            [
                "A: b",
                "Connection: a",
                "Authorization: x",
                "Upgrade: y",
                "TE: z",
                "Range: r",
                "Host: q",
                "x_api_key: 1",
            ]
        ),
        max_size=8,
    )
)
def test_what_travels_on_is_read_the_same_once_more(fields: list[str]) -> None:
    try:
        head = _parse("|".join(["GET / HTTP/1.1", *fields]))
    except HeadError:
        return
    wire = head.render(injected=None, strip=True, plain=True)
    again = parse_request(wire, TABLE)
    assert (again.host, again.length, again.upgrade) == (head.host, head.length, head.upgrade)
    assert again.credentials is None and again.parts is None
    assert again.render(injected=None, strip=True, plain=True) == wire
