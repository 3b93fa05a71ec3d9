"""Messages that two parsers could read differently are refused, in both directions, and go nowhere."""

from __future__ import annotations

import time

import pytest

from clauderon.proxy.http.framing import MAX_LINE, MAX_TRAILER, Chunked, FramingError
from tests.proxy.peers import GET, Peer
from tests.proxy.rig import Rig

H = b"Host: api.test\r\n"

REQUESTS: dict[str, tuple[bytes, bytes]] = {
    "a folded line": (b"400", b"GET / HTTP/1.1\r\n" + H + b"X: a\r\n b\r\n\r\n"),
    "a folded line with a tab": (b"400", b"GET / HTTP/1.1\r\n" + H + b"X: a\r\n\tb\r\n\r\n"),
    "a folded first line": (b"400", b"GET / HTTP/1.1\r\n X: a\r\n" + H + b"\r\n"),
    "a space before the colon": (b"400", b"GET / HTTP/1.1\r\n" + H + b"Content-Length : 5\r\n\r\nhello"),
    "a tab before the colon": (b"400", b"GET / HTTP/1.1\r\n" + H + b"X\t: 5\r\n\r\n"),
    "no colon": (b"400", b"GET / HTTP/1.1\r\n" + H + b"Xyz\r\n\r\n"),
    "no name": (b"400", b"GET / HTTP/1.1\r\n" + H + b": x\r\n\r\n"),
    "a name with a parenthesis": (b"400", b"GET / HTTP/1.1\r\n" + H + b"X(y): x\r\n\r\n"),
    "a name with a letter beyond ASCII": (b"400", b"GET / HTTP/1.1\r\n" + H + b"X\xe9: x\r\n\r\n"),
    "a bare line feed in a field": (b"400", b"GET / HTTP/1.1\r\n" + H + b"X: a\nY: b\r\n\r\n"),
    "bare line feeds throughout": (b"400", b"GET / HTTP/1.1\nHost: api.test\n\n" + b"\r\n\r\n"),
    "a bare carriage return": (b"400", b"GET / HTTP/1.1\r\n" + H + b"X: a\rY: b\r\n\r\n"),
    "a carriage return too many": (b"400", b"GET / HTTP/1.1\r\r\n" + H + b"\r\n"),
    "a NUL in a value": (b"400", b"GET / HTTP/1.1\r\n" + H + b"X: a\x00b\r\n\r\n"),
    "a NUL in a name": (b"400", b"GET / HTTP/1.1\r\n" + H + b"X\x00: b\r\n\r\n"),
    "another control character": (b"400", b"GET / HTTP/1.1\r\n" + H + b"X: a\x07b\r\n\r\n"),
    "a delete character": (b"400", b"GET / HTTP/1.1\r\n" + H + b"X: a\x7fb\r\n\r\n"),
    "two equal lengths": (b"400", b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 5\r\ncontent-length: 5\r\n\r\nhello"),
    "two different lengths": (b"400", b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
    "a list of lengths": (b"400", b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 5, 5\r\n\r\nhello"),
    "a signed length": (b"400", b"POST / HTTP/1.1\r\n" + H + b"Content-Length: +5\r\n\r\nhello"),
    "a negative length": (b"400", b"POST / HTTP/1.1\r\n" + H + b"Content-Length: -5\r\n\r\nhello"),
    "a hexadecimal length": (b"400", b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 0x5\r\n\r\nhello"),
    "an underscored length": (b"400", b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 1_0\r\n\r\nhello12345"),
    "no length in the length": (b"400", b"POST / HTTP/1.1\r\n" + H + b"Content-Length:\r\n\r\n"),
    "a huge length": (b"400", b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 99999999999999999999\r\n\r\n"),
    "length and chunks": (b"400", b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "chunks and length": (b"400", b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n"),
    "two transfer codings": (b"400", b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "a coding before chunked": (b"501", b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    "chunked twice": (b"501", b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    "identity": (b"501", b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: identity\r\n\r\n"),
    "a coding like chunked": (b"501", b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    "a quoted coding": (b"501", b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
    "chunks in 1.0": (b"400", b"POST / HTTP/1.0\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "no host": (b"400", b"GET / HTTP/1.1\r\n\r\n"),
    "two hosts": (b"400", b"GET / HTTP/1.1\r\n" + H + H + b"\r\n"),
    "a host with a space": (b"400", b"GET / HTTP/1.1\r\nHost: api.test evil.test\r\n\r\n"),
    "an empty host": (b"400", b"GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    "a host with a path": (b"400", b"GET / HTTP/1.1\r\nHost: api.test/x\r\n\r\n"),
    "a target with a space": (b"400", b"GET /a b HTTP/1.1\r\n" + H + b"\r\n"),
    "a target with a fragment": (b"400", b"GET /a#b HTTP/1.1\r\n" + H + b"\r\n"),
    "a target that is no path": (b"400", b"GET api.test HTTP/1.1\r\n" + H + b"\r\n"),
    "another scheme": (b"400", b"GET ftp://api.test/ HTTP/1.1\r\n" + H + b"\r\n"),
    "two spaces": (b"400", b"GET  / HTTP/1.1\r\n" + H + b"\r\n"),
    "a tab in the request line": (b"400", b"GET\t/\tHTTP/1.1\r\n" + H + b"\r\n"),
    "no version": (b"400", b"GET /\r\n" + H + b"\r\n"),
    "a version in lower case": (b"400", b"GET / http/1.1\r\n" + H + b"\r\n"),
    "HTTP/1.2": (b"505", b"GET / HTTP/1.2\r\n" + H + b"\r\n"),
    "HTTP/2": (b"505", b"GET / HTTP/2.0\r\n" + H + b"\r\n"),
    "a method that is no token": (b"400", b"G(T / HTTP/1.1\r\n" + H + b"\r\n"),
    "CONNECT inside": (b"400", b"CONNECT api.test:443 HTTP/1.1\r\n" + H + b"\r\n"),
    "two upgrades": (b"400", b"GET / HTTP/1.1\r\n" + H + b"Upgrade: a\r\nUpgrade: b\r\nConnection: upgrade\r\n\r\n"),
}  # fmt: skip

BODIES: dict[str, bytes] = {
    "no size": b"\r\nhello\r\n0\r\n\r\n",
    "a size that is no number": b"x\r\nhello\r\n0\r\n\r\n",
    "a size with a prefix": b"0x5\r\nhello\r\n0\r\n\r\n",
    "a signed size": b"+5\r\nhello\r\n0\r\n\r\n",
    "a negative size": b"-5\r\nhello\r\n0\r\n\r\n",
    "a size with an underscore": b"1_0\r\nhello\r\n0\r\n\r\n",
    "a space before the size": b" 5\r\nhello\r\n0\r\n\r\n",
    "a huge size": b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "a bare line feed after the size": b"5\nhello\r\n0\r\n\r\n",
    "a bare carriage return after the size": b"5\rhello\r\n0\r\n\r\n",
    "a bare line feed in an extension": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "a NUL in an extension": b"5;a\x00\r\nhello\r\n0\r\n\r\n",
    "a chunk that is too long": b"5\r\nhello!\r\n0\r\n\r\n",
    "a chunk that ends in a line feed": b"5\r\nhello\n0\r\n\r\n",
    "a chunk that ends in two letters": b"5\r\nhelloXX0\r\n\r\n",
    "a folded trailer": b"5\r\nhello\r\n0\r\nA: b\r\n c\r\n\r\n",
    "a trailer without a colon": b"5\r\nhello\r\n0\r\nA\r\n\r\n",
    "a space before a trailer's colon": b"5\r\nhello\r\n0\r\nA : b\r\n\r\n",
    "a bare line feed in a trailer": b"5\r\nhello\r\n0\r\nA: b\n\r\n",
    "framing in a trailer": b"5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
}


@pytest.mark.parametrize("shape", REQUESTS)
def test_a_request_of_that_shape_is_refused(rig: Rig, shape: str) -> None:
    upstream = rig.upstream()
    status, request = REQUESTS[shape]
    client = rig.tunnel()
    client.send(request + b"GET /smuggled HTTP/1.1\r\nHost: api.test\r\n\r\n")
    head, body = client.message()
    assert head[9:12] == status, head
    assert body.startswith(b"clauderon: ")
    if b"Connection: close" in head:
        assert client.at_end()
        assert b"smuggled" not in upstream.seen
    assert not upstream.seen or upstream.seen.startswith(b"GET /smuggled")
    assert rig.audited()[0].refused


@pytest.mark.parametrize("shape", BODIES)
def test_a_request_with_such_a_body_is_refused(rig: Rig, shape: str) -> None:
    upstream = rig.upstream()
    client = rig.tunnel()
    client.send(b"POST / HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n" + BODIES[shape])
    head, body = client.message()
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"malformed" in body
    assert client.at_end()
    assert upstream.seen == b""


@pytest.mark.parametrize("shape", BODIES)
def test_it_is_refused_byte_by_byte_too(rig: Rig, shape: str) -> None:
    rig.upstream()
    client = rig.tunnel()
    client.send(b"POST / HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n")
    try:
        for byte in BODIES[shape]:
            client.send(bytes([byte]))
    except OSError:
        pass
    assert client.message()[0].startswith(b"HTTP/1.1 400 ")


RESPONSES: dict[str, bytes] = {
    "not HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "HTTP/2": b"HTTP/2 200 OK\r\n\r\n",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "a status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "a folded line": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "a space before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
    "a bare line feed": b"HTTP/1.1 200 OK\r\nX: a\nSet-Cookie: b\r\nContent-Length: 0\r\n\r\n",
    "a NUL": b"HTTP/1.1 200 OK\r\nX: \x00\r\nContent-Length: 0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nhello",
    "length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked first": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "chunks in 1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a bad length": b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello",
    "a bad chunk at once": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("shape", RESPONSES)
def test_a_response_of_that_shape_is_refused(rig: Rig, shape: str) -> None:
    rig.upstream(handler=RESPONSES[shape])
    head, body = rig.ask(GET)
    assert head.startswith(b"HTTP/1.1 502 ")
    assert body.startswith(b"clauderon: api.test sent ")
    assert rig.audited()[0].error in ("upstream-head", "upstream-framing")


def test_bytes_after_a_response_poison_the_connection_but_not_the_response(rig: Rig) -> None:
    upstream = rig.upstream(
        handler=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\nevil"
    )
    client = rig.tunnel()
    for _ in range(2):
        client.send(GET)
        assert client.message()[1] == b"ok"
        assert not client.buffer
    assert len(upstream.peers) == 2


def test_bytes_on_an_idle_connection_end_it(rig: Rig) -> None:
    def handle(peer: Peer) -> None:
        peer.message()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        rig.audited()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        assert not peer.fill()
        ended.append(True)

    ended: list[bool] = []
    upstream = rig.upstream(handler=handle)
    client = rig.tunnel()
    client.send(GET)
    client.message()
    rig.wait(lambda: bool(ended))
    client.send(GET)
    assert client.message()[1] == b"ok"
    assert len(upstream.peers) == 2


@pytest.mark.parametrize(
    "first",
    [b"SSH-2.0-OpenSSH_9.2\r\n", b"\x00\x01\x02", b"\x16\x03\x01\x02", b"EHLO there\r\n", b"<xml>", b"HELO"],
)
def test_what_is_not_http_inside_a_tunnel_is_refused_at_once(rig: Rig, first: bytes) -> None:
    rig.upstream()
    client = rig.tunnel()
    client.send(first)
    if first == b"HELO":
        client.send(b"\r\n")
    head, body = client.message()
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"passthrough" in body


@pytest.mark.parametrize(
    "pieces",
    [
        [b"\r\n" + GET],
        [b"\r", b"\n", GET],
        [b"\r", b"\n" + GET],
        [b"\r\n", GET],
        [b"\r\n\r\n" + GET],
        [b"\r", b"\n\r\n", b"\r\n" + GET],
    ],
)
def test_empty_lines_before_a_request_are_skipped_however_they_come(rig: Rig, pieces: list[bytes]) -> None:
    upstream = rig.upstream()
    client = rig.tunnel()
    for piece in pieces:
        client.send(piece)
        time.sleep(0.02)
    assert client.message()[1] == b"ok"
    assert upstream.seen == GET


# Lines as long as may be, and one byte longer.
LONGEST = {
    "an extension": (b"2;" + b"x" * (MAX_LINE - 4) + b"\r\n", b"ab\r\n0\r\n\r\n"),
    "a trailer": (b"0\r\n" + b"X: y\r\n" * (MAX_TRAILER // 6 - 1) + b"X: ", b"y" * (MAX_TRAILER % 6 + 1) + b"\r\n\r\n"),
}  # fmt: skip


@pytest.mark.parametrize("long", LONGEST)
@pytest.mark.parametrize("over", [0, 1])
@pytest.mark.parametrize("size", [1 << 20, 1000, 7])
def test_a_line_is_too_long_however_it_comes(long: str, over: int, size: int) -> None:
    before, after = LONGEST[long]
    wire = before.replace(b"x", b"x" * (1 + over), 1) + after.replace(b"y", b"y" * (1 + over), 1)
    framing = Chunked()
    try:
        for at in range(0, len(wire), size):
            framing.feed(wire[at : at + size])
    except FramingError:
        assert over
    else:
        assert framing.done and not over


def test_a_client_that_speaks_http2_is_told_so_in_its_own_language(rig: Rig) -> None:
    rig.upstream()
    context = rig.client_context()
    context.set_alpn_protocols(["h2"])
    client = rig.tunnel(context=context)
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
    frames = client.rest()
    assert frames.startswith(b"\x00\x00\x00\x04\x00")
    assert b"only HTTP/1.1 is spoken inside this tunnel" in frames
    assert rig.audited()[0].rule == "http"


def test_only_http1_is_offered(rig: Rig) -> None:
    rig.upstream()
    context = rig.client_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    client = rig.tunnel(context=context)
    assert client.sock.selected_alpn_protocol() == "http/1.1"


@pytest.mark.parametrize(
    "target",
    ["api.test", "api.test:", "api.test:0", "api.test:99999", "api.test:x", ":443", "[::1:443", "a..b:443", "-a:443",
     "a b:443", "u@api.test:443", "https://api.test/", "api.test:443/", "/", "*"],
)  # fmt: skip
def test_a_connect_to_no_proper_place_is_refused(rig: Rig, target: str) -> None:
    client = rig.connect()
    client.send(f"CONNECT {target} HTTP/1.1\r\nHost: api.test\r\n\r\n".encode())
    head, body = client.message()
    assert head.startswith(b"HTTP/1.1 400 "), head
    assert body.startswith(b"clauderon: ")


def test_a_proxy_port_says_what_it_is(rig: Rig) -> None:
    client = rig.connect()
    client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    head, body = client.message()
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"HTTPS_PROXY" in body


def test_https_without_connect_is_told_what_to_do(rig: Rig) -> None:
    client = rig.connect()
    client.send(b"GET https://api.test/ HTTP/1.1\r\nHost: api.test\r\n\r\n")
    head, body = client.message()
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"CONNECT" in body


HEADS = {
    "LF alone": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "LF alone, in one line": b"HTTP/1.1 200 OK\r\nA: b\nContent-Length: 2\r\n\r\nok",
    "LF alone, and a body with an empty line": b"HTTP/1.1 200 OK\nContent-Length: 4\n\n\r\n\r\n",
}


@pytest.mark.parametrize("shape", HEADS)
@pytest.mark.parametrize("stays", [True, False])
def test_an_upstream_without_cr_is_said_to_be_that_at_once(rig: Rig, shape: str, stays: bool) -> None:
    """It was "closed the connection inside its response's head", and where it stayed open, a wait for a minute."""

    def answer(peer: Peer) -> None:
        peer.message()
        peer.send(HEADS[shape])
        if stays:
            peer.rest()

    rig.upstream(handler=answer)
    head, body = rig.ask(GET)
    assert head.startswith(b"HTTP/1.1 502 ")
    assert b"LF" in body
    assert rig.audited()[0].error == "upstream-head"


@pytest.mark.parametrize(
    "first",
    [b"\0\0\x12\4\0\0\0\0\0\0\3\0\0\0\x64\0\4\0\x10\0\0\0\6\0\1\0\0",
     b"\0\0\x22\7\0\0\0\0\0\0\0\0\0\0\0\0\1Unexpected\r\n\r\n preface"],
    ids=["SETTINGS", "GOAWAY"],
)  # fmt: skip
@pytest.mark.parametrize("stays", [True, False])
def test_an_upstream_of_http_2_alone_is_said_to_be_that(rig: Rig, first: bytes, stays: bool) -> None:
    def answer(peer: Peer) -> None:
        peer.send(first)
        peer.message()
        if stays:
            peer.rest()

    rig.upstream(handler=answer)
    head, body = rig.ask(GET)
    assert head.startswith(b"HTTP/1.1 502 ")
    assert b"HTTP/2" in body and b"[proxy] passthrough" in body
    assert rig.audited()[0].error == "upstream-http2"


@pytest.mark.parametrize("goodbye", ["", "closes at once"])
def test_an_upstream_whose_handshake_knows_http_2_alone_is_said_to_be_that(rig: Rig, goodbye: str) -> None:
    """The alert no_application_protocol (RFC 7301 3.2). Seen to fail with the reason of `ssl` alone passed on."""

    def answer(peer: Peer) -> None:
        peer.sock.recv(65536)
        peer.send(b"\x15\x03\x03\x00\x02\x02\x78")
        if not goodbye:
            peer.rest()

    rig.upstream(handler=answer, tls=False, port=443)
    head, body = rig.ask(GET)
    assert head.startswith(b"HTTP/1.1 502 ")
    assert b"HTTP/2" in body and b"[proxy] passthrough" in body
    assert rig.audited()[0].error == "upstream-http2"
