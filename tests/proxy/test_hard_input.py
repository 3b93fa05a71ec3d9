"""Input meant to hurt: its cost is bounded, its end is an answer and an audit line, and nobody else notices."""

from __future__ import annotations

import hashlib
import resource
import threading

import pytest

from tests.proxy.peers import GET, Peer
from tests.proxy.rig import Rig


def test_a_header_line_of_64_kib_passes(rig: Rig) -> None:
    upstream = rig.upstream()
    request = b"GET / HTTP/1.1\r\nHost: api.test\r\nX-Long: %b\r\n\r\n" % (b"x" * 65536)
    assert rig.ask(request)[1] == b"ok"
    assert upstream.seen == request


def test_a_response_header_line_of_64_kib_passes(rig: Rig) -> None:
    response = b"HTTP/1.1 200 OK\r\nX-Long: %b\r\nContent-Length: 0\r\n\r\n" % (b"x" * 65536)
    rig.upstream(handler=response)
    assert rig.ask(GET)[0] == response


@pytest.mark.parametrize(
    "flood", [b"X: y\r\n" * 10_000, b"X: " + b"y" * 200_000, b"x" * 200_000], ids=["fields", "line", "name"]
)
def test_a_head_without_end_is_refused(rig: Rig, flood: bytes) -> None:
    rig.upstream()
    client = rig.tunnel()
    with_end = b"GET / HTTP/1.1\r\nHost: api.test\r\n" + flood
    client.send(with_end)
    if flood.startswith(b"X: y\r\n"):
        client.send(b"\r\n")
    head, body = client.message()
    assert head.startswith(b"HTTP/1.1 431 ")
    assert b"more than" in body
    assert rig.audited()[0].status == 431


def test_a_target_without_end_is_refused(rig: Rig) -> None:
    client = rig.tunnel()
    client.send(b"GET /" + b"a" * 200_000)
    assert client.message()[0].startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("flood", [b"X: y\r\n" * 10_000, b"X: " + b"y" * 200_000])
def test_a_response_head_without_end_is_refused(rig: Rig, flood: bytes) -> None:
    rig.upstream(handler=b"HTTP/1.1 200 OK\r\n" + flood + b"\r\n\r\n")
    head, body = rig.ask(GET)
    assert head.startswith(b"HTTP/1.1 502 ")
    assert b"more than" in body


def test_interim_responses_without_end_are_cut(rig: Rig) -> None:
    rig.upstream(handler=b"HTTP/1.1 102 Processing\r\n\r\n" * 1000)
    client = rig.tunnel()
    client.send(GET)
    assert client.until(b"HTTP/1.1 502 ")


def test_trailers_without_end_are_refused(rig: Rig) -> None:
    rig.upstream()
    client = rig.tunnel()
    client.send(
        b"POST / HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * 5000
    )
    assert client.message()[0].startswith(b"HTTP/1.1 400 ")


def test_an_extension_without_end_is_refused(rig: Rig) -> None:
    rig.upstream()
    client = rig.tunnel()
    client.send(b"POST / HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n5;" + b"x" * 300_000)
    assert client.message()[0].startswith(b"HTTP/1.1 400 ")


@pytest.mark.slow
def test_a_gibibyte_up_and_down_at_once_in_flat_memory(rig: Rig) -> None:
    size, block = 1 << 30, b"0123456789abcdef" * 65536
    sums: list[bytes] = []

    def pump(peer: Peer) -> None:
        for _ in range(size // len(block)):
            peer.send(block)

    def drain(peer: Peer) -> bytes:
        digest = hashlib.sha256(peer.buffer)
        left = size - len(peer.buffer)
        while left:
            data = peer.sock.recv(min(left, 1 << 20))
            digest.update(data)
            left -= len(data)
        return digest.digest()

    def handle(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        sender = threading.Thread(target=pump, args=(peer,))
        sender.start()
        sums.append(drain(peer))
        sender.join()

    rig.upstream(handler=handle)
    client = rig.tunnel()
    client.send(b"POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: %d\r\n\r\n" % size)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sender = threading.Thread(target=pump, args=(client,))
    sender.start()
    client.head()
    got = drain(client)
    sender.join()
    rig.wait(lambda: bool(sums))
    assert got == sums[0]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024
