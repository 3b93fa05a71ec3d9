"""Streams, large bodies and upgrades pass as they come, and end when either side does."""

from __future__ import annotations

import hashlib
import os
import socket
import struct
import threading

import pytest

from tests.proxy.peers import Peer
from tests.proxy.rig import Rig

GET = b"GET /path?q=1 HTTP/1.1\r\nHost: api.test\r\nX-Odd:  two  spaces \r\n\r\n"


def test_each_event_passes_at_once(rig: Rig) -> None:
    go = threading.Semaphore(0)

    def handle(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for n in range(20):
            go.acquire()
            event = b"data: %d sk\n\n" % n
            peer.send(b"%x\r\n%b\r\n" % (len(event), event))
        peer.send(b"0\r\n\r\n")

    rig.upstream(handler=handle)
    rig.grants.add("api.test", model_api=True)
    client = rig.tunnel()
    client.send(GET)
    client.head()
    for n in range(20):
        go.release()
        assert client.until(b"\n\n\r\n").endswith(b"data: %d sk\n\n\r\n" % n)
    assert client.until(b"0\r\n\r\n")


def test_a_client_that_leaves_a_stream_closes_the_upstream_at_once(rig: Rig) -> None:
    left = threading.Event()

    def handle(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
        assert not peer.fill()
        left.set()

    rig.upstream(handler=handle)
    client = rig.tunnel()
    client.send(GET)
    client.until(b"x\r\n")
    client.close()
    assert left.wait(30)
    assert rig.audited()[0].error == "client-left"


def test_a_client_that_leaves_before_the_answer_closes_the_upstream_too(rig: Rig) -> None:
    asked, left = threading.Event(), threading.Event()

    def handle(peer: Peer) -> None:
        peer.head()
        asked.set()
        assert not peer.fill()
        left.set()

    rig.upstream(handler=handle)
    client = rig.tunnel()
    client.send(GET)
    assert asked.wait(30)
    client.close()
    assert left.wait(30)
    assert rig.audited()[0].status == 0


@pytest.mark.parametrize("chunked", [False, True])
def test_large_bodies_pass_both_ways_at_once(rig: Rig, chunked: bool) -> None:
    size = 24 << 20
    block = os.urandom(1 << 20)

    def handle(peer: Peer) -> None:
        peer.head()
        digest = hashlib.sha256()
        sender = threading.Thread(target=_send_blocks, args=(peer, block, size, chunked))
        peer.send(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            if chunked
            else b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
        )
        sender.start()
        digest.update(_read_blocks(peer, size, chunked))
        sender.join()
        sums.append(digest.digest())

    sums: list[bytes] = []
    rig.upstream(handler=handle)
    client = rig.tunnel()
    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % size
    client.send(b"POST / HTTP/1.1\r\nHost: api.test\r\n%b\r\n\r\n" % framing)
    sender = threading.Thread(target=_send_blocks, args=(client, block, size, chunked))
    sender.start()
    client.head()
    got = hashlib.sha256(_read_blocks(client, size, chunked)).digest()
    sender.join()
    rig.wait(lambda: bool(sums))
    expected = hashlib.sha256(block * (size >> 20)).digest()
    assert got == sums[0] == expected


def _send_blocks(peer: Peer, block: bytes, size: int, chunked: bool) -> None:
    odd = [1, 70000, 16384, 65536, 800000, len(block) - 1 - 70000 - 16384 - 65536 - 800000]
    if not chunked:
        for _ in range(size // len(block)):
            peer.send(block)
        return
    for _ in range(size // len(block)):
        at = 0
        for step in odd:
            if step > 0:
                peer.send(b"%x\r\n%b\r\n" % (step, block[at : at + step]))
            at += step
        if at < len(block):
            peer.send(b"%x\r\n%b\r\n" % (len(block) - at, block[at:]))
    peer.send(b"0\r\n\r\n")


def _read_blocks(peer: Peer, size: int, chunked: bool) -> bytes:
    if not chunked:
        return _drain(peer, size)
    body = bytearray()
    while step := int(peer.until(b"\r\n"), 16):
        body += _drain(peer, step)
        peer.exactly(2)
    peer.exactly(2)
    return bytes(body)


def _drain(peer: Peer, size: int) -> bytes:
    got = bytearray(peer.buffer[:size])
    peer.buffer = peer.buffer[size:]
    while len(got) < size:
        data = peer.sock.recv(min(1 << 20, size - len(got)))
        assert data
        got += data
    return bytes(got)


def test_a_websocket_is_relayed_raw_after_its_upgrade(rig: Rig) -> None:
    def handle(peer: Peer) -> None:
        head = peer.head()
        assert b"x-api-key: sk-ant-test" in head
        assert b"Connection: keep-alive, Upgrade\r\n" in head
        assert b"Upgrade: websocket\r\n" in head
        peer.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x02hi"
        )
        while data := peer.exactly(4):
            peer.send(b"\x00" + data)

    rig.upstream(handler=handle)
    rig.grants.add("api.test", websocket=True)
    client = rig.tunnel()
    client.send(
        b"GET /ws HTTP/1.1\r\nHost: api.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
        b"X-Api-Key: placeholder\r\n\r\nGET "
    )
    assert client.head().startswith(b"HTTP/1.1 101 ")
    assert client.exactly(4) == b"\x81\x02hi"
    assert client.exactly(5) == b"\x00GET "
    for n in range(50):
        client.send(struct.pack(">I", n))
        assert client.exactly(5) == b"\x00" + struct.pack(">I", n)
    client.close()
    record = rig.audited()[0]
    assert (record.kind, record.upgrade, record.credential) == ("upgrade", "websocket", "anthropic")


@pytest.mark.parametrize("wanted", [b"h2c", b"websocket, h2c", b"H2C,websocket"])
def test_an_upgrade_to_http2_is_answered_in_http1(rig: Rig, wanted: bytes) -> None:
    upstream = rig.upstream()
    rig.ask(
        b"GET / HTTP/1.1\r\nHost: api.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: %b\r\n"
        b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n" % wanted
    )
    assert upstream.seen == b"GET / HTTP/1.1\r\nHost: api.test\r\n\r\n"


def test_a_switch_of_protocols_nobody_asked_for_is_refused(rig: Rig) -> None:
    rig.upstream(handler=b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n")
    head, body = rig.ask(GET)
    assert head.startswith(b"HTTP/1.1 502 ")
    assert b"switch of protocols" in body


def test_a_slow_reader_holds_the_upstream_back(rig: Rig) -> None:
    sent: list[int] = []

    def handle(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (256 << 20))
        peer.sock.settimeout(1)
        try:
            for _ in range(256):
                peer.sock.sendall(b"x" * (1 << 20))
                sent.append(1)
        except TimeoutError:
            sent.append(0)

    rig.upstream(handler=handle)
    client = rig.tunnel()
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    client.send(GET)
    client.head()
    rig.wait(lambda: bool(sent) and sent[-1] == 0)
    assert sum(sent) < 64
