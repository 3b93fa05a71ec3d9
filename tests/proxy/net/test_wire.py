"""The tail of what was sent arrives after its end, or is cut and audited."""

from __future__ import annotations

import socket
import threading

import pytest

from clauderon.proxy.dataplane import timeouts
from clauderon.proxy.net import upstream as upstream_module
from tests.proxy.peers import GET, Peer
from tests.proxy.rig import Rig

_TAIL = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000


def _slow_reader(rig: Rig) -> Peer:
    """A client that asked for a response of which the kernel takes little, so that its tail waits in the proxy."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)
    rig.run(rig.plane.listen_session(rig.policy("slow"), [listener]))
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
    sock.connect(listener.getsockname())
    plain = Peer(sock)
    plain.send(b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n")
    plain.head()
    client = rig.secure(plain, "api.test")
    client.send(GET)
    rig.wait(lambda: bool(rig.records.all))
    return client


def test_a_slow_reader_gets_the_tail_of_a_response_after_its_end(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeouts, "CLOSING_TICKS", 0)
    rig.upstream(handler=_TAIL)
    client = _slow_reader(rig)
    threading.Event().wait(2.5)
    assert client.rest() == _TAIL
    assert [record.error for record in rig.records.all] == [None]


def test_a_tail_that_nobody_reads_is_cut_and_audited(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeouts, "CLOSING_TICKS", 0)
    monkeypatch.setattr(timeouts, "STALL_TICKS", 1)
    rig.upstream(handler=_TAIL)
    client = _slow_reader(rig)
    cut = rig.audited(2)[1]
    assert (cut.kind, cut.host, cut.error) == ("connection", "api.test", "client-stalled")
    assert len(client.rest()) < len(_TAIL)


def test_an_upstream_that_reads_slowly_gets_the_tail_of_an_upload(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream_module.Upstream, "CLOSING_TICKS", 0)
    dialler, read = rig.plane.shared.dialler, threading.Event()
    connect = dialler.sock_connect

    async def sock_connect(sock: socket.socket, address: tuple[str, int]) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)
        await connect(sock, address)

    def handle(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
        assert read.wait(30)
        got.append(peer.rest())

    got: list[bytes] = []
    monkeypatch.setattr(dialler, "sock_connect", sock_connect)
    made = rig.upstream(handler=handle)
    made.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
    client = rig.tunnel()
    client.send(b"GET / HTTP/1.1\r\nHost: api.test\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
    client.head()
    client.send(b"x" * 200_000)
    client.close()
    assert rig.audited()[0].kind == "upgrade"
    threading.Event().wait(2.5)
    read.set()
    rig.wait(lambda: bool(got))
    assert len(got[0]) == 200_000
