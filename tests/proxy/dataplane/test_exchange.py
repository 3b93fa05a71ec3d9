"""What passes through the proxy arrives as it was sent, and nothing is waited for that need not be."""

from __future__ import annotations

import gzip
import ssl

import pytest

from tests.proxy.peers import OK, Peer
from tests.proxy.rig import Rig

GET = b"GET /path?q=1 HTTP/1.1\r\nHost: api.test\r\nX-Odd:  two  spaces \r\n\r\n"


def test_a_request_and_its_response_pass_byte_for_byte(rig: Rig) -> None:
    upstream = rig.upstream(handler=b"HTTP/1.1 200 Fine\r\nX-CaSe:  kept \r\nContent-Length: 2\r\n\r\nok")
    head, body = rig.ask(GET)
    assert head == b"HTTP/1.1 200 Fine\r\nX-CaSe:  kept \r\nContent-Length: 2\r\n\r\n"
    assert body == b"ok"
    assert upstream.seen == GET
    record = rig.audited()[0]
    assert (record.host, record.method, record.path, record.status) == ("api.test", "GET", "/path", 200)


def test_connections_are_kept_alive_on_both_sides(rig: Rig) -> None:
    upstream = rig.upstream()
    client = rig.tunnel()
    for _ in range(5):
        client.send(GET)
        assert client.message()[1] == b"ok"
    assert upstream.seen == GET * 5
    assert len(upstream.peers) == 1
    assert rig.ask(GET)[1] == b"ok"
    assert len(upstream.peers) == 1


def test_pipelined_requests_are_answered_in_order(rig: Rig) -> None:
    def count(peer: Peer) -> None:
        while True:
            head, _ = peer.message()
            body = head.split(b" ")[1]
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    rig.upstream(handler=count)
    client = rig.tunnel()
    client.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: api.test\r\n\r\n" % n for n in range(300)))
    for n in range(300):
        assert client.message()[1] == b"/%d" % n


def test_a_credential_replaces_the_clients_own(rig: Rig) -> None:
    upstream = rig.upstream()
    rig.grants.add("api.test", b"x-api-key", "the-real-secret")
    rig.ask(
        b"GET / HTTP/1.1\r\nHost: api.test\r\nX-Api-Key: placeholder\r\nAccept: */*\r\n"
        b"authorization: Bearer mine\r\nX_API_KEY: sly\r\n\r\n"
    )
    assert (
        upstream.seen
        == b"GET / HTTP/1.1\r\nHost: api.test\r\nx-api-key: the-real-secret\r\nAccept: */*\r\n\r\n"
    )
    assert rig.audited()[0].credential == "anthropic"


def test_a_client_hello_in_the_same_segment_as_the_connect_is_not_lost(rig: Rig) -> None:
    rig.upstream()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = rig.client_context().wrap_bio(incoming, outgoing, server_hostname="api.test")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    plain = rig.connect()
    plain.send(b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n" + outgoing.read())
    assert plain.head().startswith(b"HTTP/1.1 200 ")
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            plain.send(outgoing.read())
            assert plain.buffer or plain.fill()
            incoming.write(plain.buffer)
            plain.buffer = b""
    tls.write(GET)
    plain.send(outgoing.read())
    answer = b""
    while not answer.endswith(b"ok"):
        try:
            answer += tls.read(1000)
        except ssl.SSLWantReadError:
            assert plain.buffer or plain.fill()
            incoming.write(plain.buffer)
            plain.buffer = b""


def test_a_connect_that_comes_byte_by_byte_works(rig: Rig) -> None:
    rig.upstream()
    plain = rig.connect()
    for byte in b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n":
        plain.send(bytes([byte]))
    assert plain.head().startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\nTrailer: X-Sum\r\n\r\n"
        b'5;ext="1"\r\nhello\r\n00A\r\n0123456789\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n',
        b"HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\nETag: x\r\n\r\n",
        b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 \xe9t\xe9\r\nX: \xff\r\nContent-Length:0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: https://other.test/\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_every_framing_of_a_response_passes_and_the_connection_goes_on(rig: Rig, response: bytes) -> None:
    upstream = rig.upstream(handler=response)
    client = rig.tunnel()
    for _ in range(3):
        client.send(GET)
        assert b"".join(client.message()) == response
    assert len(upstream.peers) == 1


def test_a_head_response_has_no_body_whatever_its_length_says(rig: Rig) -> None:
    rig.upstream(handler=b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    client = rig.tunnel()
    for _ in range(2):
        client.send(b"HEAD / HTTP/1.1\r\nHost: api.test\r\n\r\n")
        assert client.head().endswith(b"1000\r\n\r\n")


def test_a_response_that_ends_with_its_connection_passes_whole(rig: Rig) -> None:
    rig.upstream(handler=_once(b"HTTP/1.1 200 OK\r\n\r\nas long as it takes"))
    client = rig.tunnel()
    client.send(GET)
    assert client.rest() == b"HTTP/1.1 200 OK\r\n\r\nas long as it takes"


def _once(response: bytes):  # type: ignore[no-untyped-def]
    def handle(peer: Peer) -> None:
        peer.message()
        peer.send(response)
        peer.sock.unwrap()

    return handle


@pytest.mark.parametrize(
    "request_",
    [
        b"POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 5\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-T: 1\r\n\r\n",
        b"DELETE /x HTTP/1.1\r\nHost: api.test:443\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: api.test\r\n\r\n",
        b"GET https://api.test/x HTTP/1.1\r\nHost: api.test\r\n\r\n",
        b"M-SEARCH /a//b/../%2e%2F?x=%zz HTTP/1.1\r\nhOST: API.test.\r\nX:\r\nTE: trailers\r\nConnection: TE\r\n\r\n",
    ],
)
def test_every_form_of_a_request_passes_byte_for_byte(rig: Rig, request_: bytes) -> None:
    upstream = rig.upstream()
    assert rig.ask(request_)[1] == b"ok"
    assert upstream.seen == request_


def test_a_request_that_comes_byte_by_byte_passes_byte_for_byte(rig: Rig) -> None:
    upstream = rig.upstream()
    request = (
        b"POST / HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n0A;x\r\n0123456789\r\n0\r\nA: b\r\n\r\n"
    )
    client = rig.tunnel()
    for byte in request * 2:
        client.send(bytes([byte]))
    assert client.message()[1] + client.message()[1] == b"okok"
    assert upstream.seen == request * 2


def test_hop_by_hop_fields_do_not_travel(rig: Rig) -> None:
    upstream = rig.upstream()
    rig.ask(
        b"GET / HTTP/1.1\r\nHost: api.test\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic eDp5\r\n"
        b"Connection: close, X-Hop\r\nX-Hop: 1\r\nX-End: 2\r\n\r\n"
    )
    assert upstream.seen == b"GET / HTTP/1.1\r\nHost: api.test\r\nX-End: 2\r\n\r\n"


def test_a_client_that_asks_to_close_is_closed_and_the_upstream_kept(rig: Rig) -> None:
    upstream = rig.upstream()
    for _ in range(3):
        client = rig.tunnel()
        client.send(b"GET / HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n")
        assert client.rest().endswith(b"ok")
    assert len(upstream.peers) == 1


def test_a_compressed_request_body_keeps_its_coding(rig: Rig) -> None:
    upstream = rig.upstream()
    rig.grants.add("api.test")
    body = gzip.compress(b"hello" * 1000)
    request = b"POST / HTTP/1.1\r\nHost: api.test\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n" % len(
        body
    )
    assert rig.ask(request + b"\r\n" + body)[1] == b"ok"
    assert upstream.seen.startswith(request) and upstream.seen.endswith(b"\r\n\r\n" + body)


def test_http_1_0_is_answered_and_closed(rig: Rig) -> None:
    upstream = rig.upstream()
    client = rig.tunnel()
    client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert client.rest().endswith(b"ok")
    assert upstream.seen == b"GET / HTTP/1.0\r\nHost: api.test:443\r\n\r\n"


def test_interim_responses_pass_and_continue_waits_for_the_upstream(rig: Rig) -> None:
    def handle(peer: Peer) -> None:
        head = peer.head()
        assert b"Expect: 100-continue" in head
        peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
        assert peer.exactly(5) == b"hello"
        peer.send(OK)

    rig.upstream(handler=handle)
    client = rig.tunnel()
    client.send(b"PUT / HTTP/1.1\r\nHost: api.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    assert client.head() == b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    assert client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send(b"hello")
    assert client.message()[1] == b"ok"


def test_an_early_refusal_reaches_a_client_that_is_still_sending(rig: Rig) -> None:
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nbig!"

    def handle(peer: Peer) -> None:
        peer.head()
        peer.send(refusal)
        peer.fill()

    rig.upstream(handler=handle)
    client = rig.tunnel()
    client.send(b"POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 100000)
    assert b"".join(client.message()) == refusal
    assert client.at_end()


def test_a_final_answer_instead_of_continue_ends_the_connection(rig: Rig) -> None:
    def handle(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n")
        peer.fill()

    rig.upstream(handler=handle)
    client = rig.tunnel()
    client.send(b"PUT / HTTP/1.1\r\nHost: api.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    assert client.rest().startswith(b"HTTP/1.1 417 ")


def test_an_answer_before_the_whole_request_leaves_the_connection_usable(rig: Rig) -> None:
    def handle(peer: Peer) -> None:
        for _ in range(2):
            peer.head()
            peer.send(OK)
            peer.exactly(100)

    upstream = rig.upstream(handler=handle)
    client = rig.tunnel()
    for _ in range(2):
        client.send(b"POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 100\r\n\r\n" + b"x" * 50)
        assert client.message()[1] == b"ok"
        client.send(b"x" * 50)
    rig.audited(2)
    assert len(upstream.peers) == 1


def test_plain_http_is_proxied_by_its_url(rig: Rig) -> None:
    upstream = rig.upstream(tls=False)
    client = rig.connect()
    for _ in range(3):
        client.send(b"GET http://api.test/a?b HTTP/1.1\r\nHost: api.test\r\nProxy-Connection: x\r\n\r\n")
        assert client.message()[1] == b"ok"
    assert upstream.seen == b"GET /a?b HTTP/1.1\r\nHost: api.test\r\n\r\n" * 3
    assert len(upstream.peers) == 1
