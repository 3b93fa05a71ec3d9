"""Upstreams that fail in every way: the client learns why, the audit too, and nothing is asked twice unless it may be."""

from __future__ import annotations

import socket
import ssl
import threading

import pytest

from clauderon.proxy.dataplane import timeouts
from tests.proxy.peers import GET, OK, Peer
from tests.proxy.rig import Rig


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("tls", [True, False])
def test_a_connection_closed_without_an_answer(rig: Rig, how: str, tls: bool) -> None:
    def handle(peer: Peer) -> None:
        peer.message()
        if how == "reset":
            peer.reset()

    rig.upstream(handler=handle, tls=tls)
    if tls:
        head, body = rig.ask(GET)
    else:
        client = rig.connect()
        client.send(b"GET http://api.test/ HTTP/1.1\r\nHost: api.test\r\n\r\n")
        head, body = client.message()
    assert head.startswith(b"HTTP/1.1 502 ")
    assert b"api.test closed the connection without an answer" in body
    assert rig.audited()[0].error == "upstream-reset"


def test_a_connection_closed_inside_the_head(rig: Rig) -> None:
    def handle(peer: Peer) -> None:
        peer.message()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Le")

    rig.upstream(handler=handle)
    head, body = rig.ask(GET)
    assert head.startswith(b"HTTP/1.1 502 ")
    assert b"inside its response's head" in body


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nonly this",
    ],
)
def test_a_response_that_is_cut_is_cut_for_the_client_too(rig: Rig, response: bytes) -> None:
    def handle(peer: Peer) -> None:
        peer.message()
        peer.send(response)

    rig.upstream(handler=handle)
    client = rig.tunnel()
    client.send(GET)
    got = client.rest()
    assert got and response.startswith(got)
    record = rig.audited()[0]
    assert record.status == 200
    assert record.error in ("upstream-reset", "upstream-framing")


def test_a_response_that_turns_into_nonsense_is_cut(rig: Rig) -> None:
    come = threading.Event()

    def handle(peer: Peer) -> None:
        peer.message()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n")
        come.wait(30)
        peer.send(b"zz\r\nbad")

    rig.upstream(handler=handle)
    client = rig.tunnel()
    client.send(GET)
    client.until(b"good\r\n")
    come.set()
    assert client.rest() == b""
    assert rig.audited()[0].error == "upstream-framing"


def test_a_response_until_close_without_a_goodbye_gets_none_on_our_side(rig: Rig) -> None:
    def handle(peer: Peer) -> None:
        peer.message()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nperhaps all")
        peer.sock.shutdown(socket.SHUT_RDWR)

    rig.upstream(handler=handle)
    client = rig.tunnel()
    client.sock.suppress_ragged_eofs = False
    client.send(GET)
    assert client.until(b"perhaps all")
    with pytest.raises(ssl.SSLEOFError):
        client.sock.recv(1)


def test_an_upstream_that_stalls_is_given_up(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeouts, "STALL_TICKS", 1)
    release = threading.Event()

    def handle(peer: Peer) -> None:
        peer.message()
        release.wait(30)

    rig.upstream(handler=handle)
    head, body = rig.ask(GET)
    release.set()
    assert head.startswith(b"HTTP/1.1 504 ")
    assert b"api.test sent nothing for" in body
    assert rig.audited()[0].error == "upstream-stalled"


def test_an_upstream_that_reads_slowly_holds_the_client_back(rig: Rig) -> None:
    release = threading.Event()

    def handle(peer: Peer) -> None:
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        peer.head()
        release.wait(30)
        left = (48 << 20) - len(peer.buffer)
        while left:
            left -= len(peer.sock.recv(min(left, 1 << 20)))
        peer.send(OK)

    rig.upstream(handler=handle)
    client = rig.tunnel()
    client.send(b"POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: %d\r\n\r\n" % (48 << 20))
    sent = [0]

    def send() -> None:
        while sent[0] < 48 << 20:
            client.send(b"x" * 65536)
            sent[0] += 65536

    sender = threading.Thread(target=send)
    sender.start()
    before = -1
    while before != sent[0]:
        before = sent[0]
        threading.Event().wait(0.5)
    assert before < 32 << 20
    release.set()
    sender.join()
    assert client.message()[1] == b"ok"


def test_an_upstream_that_hangs_up_during_the_upload(rig: Rig) -> None:
    def handle(peer: Peer) -> None:
        peer.head()
        peer.reset()

    rig.upstream(handler=handle)
    client = rig.tunnel()
    client.send(b"POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000)
    assert client.message()[0].startswith(b"HTTP/1.1 502 ")
    assert client.at_end()


def test_what_follows_an_early_answer_is_nobodys(rig: Rig) -> None:
    """An upstream that answers a request twice, the second time while the client is still sending it."""
    go = threading.Event()

    def handle(peer: Peer) -> None:
        peer.head()
        peer.send(OK)
        assert go.wait(30)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON")
        peer.rest()

    upstream = rig.upstream(handler=handle)
    client = rig.tunnel()
    client.send(b"POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 4\r\n\r\n")
    assert client.message()[1] == b"ok"
    go.set()
    assert client.rest() == b""
    rig.wait(lambda: not rig.call(lambda: set(rig.plane.pool.wires)))
    assert [record.status for record in rig.audited()] == [200]
    assert len(upstream.peers) == 1
