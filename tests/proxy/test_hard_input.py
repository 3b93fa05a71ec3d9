"""Input meant to hurt: its cost is bounded, its end is an answer and an audit line, and nobody else notices."""

from __future__ import annotations

import hashlib
import resource
import socket
import ssl
import threading

import pytest

from clauderon.proxy.dataplane import session as sessions_module
from clauderon.proxy.dataplane import timeouts
from clauderon.proxy.net import upstream as upstream_module
from tests.proxy.peers import GET, OK, Peer
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


def test_a_client_that_dribbles_its_head_is_given_up(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeouts, "HEAD_TICKS", 1)
    rig.upstream()
    client = rig.tunnel()
    done = threading.Event()

    def dribble() -> None:
        try:
            for byte in b"GET / HTTP/1.1\r\nX: " + b"y" * 10_000:
                client.sock.send(bytes([byte]))
                if done.wait(0.05):
                    return
        except OSError:
            pass

    thread = threading.Thread(target=dribble)
    client.sock.send(b"")
    thread.start()
    head, body = client.message()
    done.set()
    thread.join()
    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"no whole request head" in body


def test_a_client_that_connects_and_says_nothing_is_let_go(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeouts, "IDLE_TICKS", 1)
    client = rig.connect()
    assert client.rest() == b""


def test_a_tunnel_in_which_nothing_comes_is_explained(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeouts, "TLS_TICKS", 1)
    client = rig.connect()
    client.send(b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n")
    client.head()
    head, body = client.message()
    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"passthrough" in body


def test_a_handshake_that_stops_half_way_is_let_go(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeouts, "TLS_TICKS", 1)
    client = rig.connect()
    client.send(b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n")
    client.head()
    client.send(b"\x16\x03\x01\x02\x00\x01\x00")
    assert client.rest() == b""
    assert rig.audited()[0].error == "not-tls"


def test_a_handshake_that_is_garbage_is_refused(rig: Rig) -> None:
    client = rig.connect()
    client.send(b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n")
    client.head()
    client.send(b"\x16" + b"\xff" * 500)
    client.rest()
    assert rig.audited()[0].error == "client-tls"


def test_a_client_that_does_not_trust_us_is_audited(rig: Rig) -> None:
    rig.upstream()
    client = rig.connect()
    client.send(b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n")
    client.head()
    with pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(client.sock, server_hostname="api.test")
    client.close()
    record = rig.audited()[0]
    assert (record.kind, record.error, record.host) == ("connection", "client-tls", "api.test")


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


def test_idle_tunnels_do_not_get_in_the_way(rig: Rig) -> None:
    rig.upstream()
    context = rig.client_context()
    idle = [rig.tunnel(context=context) for _ in range(200)]
    assert rig.ask(GET)[1] == b"ok"
    assert rig.call(lambda: rig.plane.counters["one"].open_tunnels) >= 200
    for client in idle:
        client.send(GET)
    for client in idle:
        assert client.message()[1] == b"ok"
        client.close()
    rig.wait(lambda: rig.call(lambda: rig.plane.counters["one"].open_tunnels) == 0)


def test_too_many_connections_are_turned_away(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clauderon.proxy.dataplane.judge.MAX_CONNECTIONS", 3)
    rig.upstream()
    kept = [rig.tunnel() for _ in range(3)]
    client = rig.connect()
    head, _ = client.message()
    assert head.startswith(b"HTTP/1.1 503 ")
    client.close()
    kept[0].close()
    rig.wait(lambda: rig.call(lambda: len(rig.plane.sessions["one"].clients)) < 3)
    assert rig.ask(GET)[1] == b"ok"
    assert sessions_module.MAX_CONNECTIONS > 1000


def test_pipelined_requests_do_not_pile_up_answers_for_a_client_that_does_not_read(rig: Rig) -> None:
    served: list[int] = []

    def handle(peer: Peer) -> None:
        while True:
            peer.message()
            served.append(1)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000)

    rig.upstream(handler=handle)
    client = rig.tunnel()
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    client.send(GET * 500)
    before = -1
    while before != len(served):
        before = len(served)
        threading.Event().wait(0.3)
    assert len(served) < 60
    for _ in range(500):
        assert len(client.message()[1]) == 1_000_000


def test_refused_requests_do_not_pile_up_answers_either(rig: Rig) -> None:
    rig.session(allow=("api.test",))
    rig.upstream()
    client = rig.tunnel()
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    rig.call(rig.plane.update_policy, rig.policy(allow=()))
    count = 60_000
    sender = threading.Thread(target=client.send, args=(GET * count,))
    sender.start()
    before = -1
    while before != len(rig.records.all):
        before = len(rig.records.all)
        threading.Event().wait(0.3)
    assert before < count
    for _ in range(count):
        assert client.message()[0].startswith(b"HTTP/1.1 403 ")
    sender.join()


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError("no such name"), b"400"), (OSError(24, "Too many open files"), b"500")]
)
def test_a_leaf_that_cannot_be_made_is_said_and_survived(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, error: Exception, status: bytes
) -> None:
    def fail(host: str, *, apart: bool = False) -> ssl.SSLContext:
        raise error

    monkeypatch.setattr(rig.leaves, "server_context", fail)
    client = rig.connect()
    client.send(b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n\x16\x03\x01")
    client.head()
    head, body = client.message()
    assert head.startswith(b"HTTP/1.1 %b " % status) and b"no certificate can be made" in body


def test_requests_in_flight_are_finished_when_the_proxy_is_told_to_stop(rig: Rig) -> None:
    go, asked = threading.Event(), threading.Event()

    def handle(peer: Peer) -> None:
        peer.message()
        asked.set()
        go.wait(30)
        peer.send(OK)

    rig.upstream(handler=handle)
    busy, idle = rig.tunnel(), rig.tunnel()
    busy.send(GET)
    assert asked.wait(30)
    import asyncio

    drained = asyncio.run_coroutine_threadsafe(rig.plane.drain(30), rig.loop)
    assert idle.at_end()
    go.set()
    assert busy.message()[1] == b"ok"
    assert busy.at_end()
    drained.result(30)


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
