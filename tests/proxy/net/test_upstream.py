"""Connections to an upstream that are used again, resumed, or spoken on too early."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest

from tests.proxy.peers import GET, OK, Handler, Peer, Upstream, answering
from tests.proxy.rig import Rig

POST = b"POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 2\r\n\r\nhi"


def _dies_after(requests: int, times: int) -> Handler:
    """Serve some requests, then take one more and close without an answer; the first `times` connections."""
    served: list[int] = []

    def handle(peer: Peer) -> None:
        served.append(1)
        mortal = len(served) <= times
        for _ in range(requests if mortal else 100):
            peer.message()
            peer.send(OK)
        peer.message()

    return handle


def test_a_safe_request_on_a_dead_pooled_connection_is_asked_once_more(rig: Rig) -> None:
    upstream = rig.upstream(handler=_dies_after(1, 1))
    client = rig.tunnel()
    for _ in range(2):
        client.send(GET)
        assert client.message()[1] == b"ok"
    assert len(upstream.peers) == 2
    assert [record.error for record in rig.audited(2)] == [None, None]


def test_it_is_asked_once_more_and_not_twice(rig: Rig) -> None:
    upstream = rig.upstream(handler=_dies_after(1, 1))
    client = rig.tunnel()
    client.send(GET)
    client.message()
    upstream.handler = lambda peer: peer.message() and None
    client.send(GET)
    assert client.message()[0].startswith(b"HTTP/1.1 502 ")
    assert len(upstream.peers) == 2


def test_an_unsafe_request_is_never_asked_twice(rig: Rig) -> None:
    upstream = rig.upstream(handler=_dies_after(1, 1))
    client = rig.tunnel()
    client.send(GET)
    client.message()
    client.send(POST)
    assert client.message()[0].startswith(b"HTTP/1.1 502 ")
    assert upstream.seen.count(POST) == 1


def test_a_connection_closed_while_idle_is_not_used(rig: Rig) -> None:
    upstream = rig.upstream(handler=answering(OK, requests=1))
    client = rig.tunnel()
    for _ in range(3):
        client.send(POST)
        assert client.message()[1] == b"ok"
        rig.wait(lambda: rig.call(lambda: rig.plane.pool.size) == 0)
    assert len(upstream.peers) == 3


def test_tls_sessions_are_resumed_towards_the_upstream(rig: Rig) -> None:
    resumed: list[bool] = []

    def handle(peer: Peer) -> None:
        resumed.append(peer.sock.session_reused)
        answering(OK, requests=2)(peer)

    rig.upstream(handler=handle)
    for _ in range(4):
        client = rig.tunnel()
        for _ in range(2):
            client.send(GET)
            assert client.message()[1] == b"ok"
        rig.wait(lambda: rig.call(lambda: rig.plane.pool.size) == 0)
    # Of a place that is visited once nothing is kept.
    assert resumed == [False, False, True, True]


class Forgetful(Upstream):
    """Ends a handshake that offers a session with an alert, where it should begin a new one."""

    refused = 0

    def _serve(self, sock: socket.socket) -> None:
        hello = b""
        while len(hello) < 5 or len(hello) < 5 + int.from_bytes(hello[3:5]):
            hello = sock.recv(1 << 14, socket.MSG_PEEK)
        # The last extension, if there is one, is `pre_shared_key`.
        places = [at for at in range(len(hello) - 4) if hello[at : at + 2] == b"\0\x29"]
        if any(at + 4 + int.from_bytes(hello[at + 2 : at + 4]) == len(hello) for at in places):
            self.refused += 1
            sock.recv(len(hello))
            sock.sendall(b"\x15\x03\x03\x00\x02\x02\x28")
            sock.close()
        else:
            super()._serve(sock)


def test_a_tls_session_the_upstream_refuses_is_offered_once(rig: Rig) -> None:
    upstream = Forgetful(answering(OK, requests=1), rig.server_context("api.test"))
    rig.upstreams.append(upstream)
    rig.configure(connect_to={"api.test:443": f"127.0.0.1:{upstream.port}"})
    for _ in range(6):
        assert rig.ask(POST)[1] == b"ok"
        rig.wait(lambda: rig.call(lambda: rig.plane.pool.size) == 0)
    assert upstream.refused == 1, "what is learned for the time being is that there is none"
    assert all(record.status == 200 for record in rig.audited(6))


def test_an_upstream_that_refuses_every_handshake_is_given_up_after_the_session(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream = Forgetful(answering(OK, requests=1), rig.server_context("api.test"))
    rig.upstreams.append(upstream)
    rig.configure(connect_to={"api.test:443": f"127.0.0.1:{upstream.port}"})
    for _ in range(2):
        assert rig.ask(GET)[1] == b"ok"
        rig.wait(lambda: rig.call(lambda: rig.plane.pool.size) == 0)
    monkeypatch.setattr(Upstream, "_serve", lambda _, sock: sock.close())
    head, body = rig.ask(GET)
    assert head.startswith(b"HTTP/1.1 502 ")
    assert b"TLS with api.test failed" in body
    assert upstream.refused == 1


def test_tls_sessions_are_resumed_by_clients(rig: Rig) -> None:
    rig.upstream()
    context = rig.client_context()
    first = rig.tunnel(context=context)
    first.send(GET)
    first.message()
    session = first.sock.session
    plain = rig.connect()
    plain.send(b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n")
    plain.head()
    tls = context.wrap_socket(plain.sock, server_hostname="api.test", session=session)
    tls.sendall(GET)
    assert tls.recv(1000).endswith(b"ok")
    assert tls.session_reused
    tls.close()


class Hasty:
    """A server that speaks, or leaves, as soon as it has accepted, before it was asked anything."""

    def __init__(self, said: bytes, *, stays: bool) -> None:
        self.said, self.stays = said, stays
        self.kept: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                if self.said:
                    sock.sendall(self.said)
                if self.stays:
                    self.kept.append(sock)
                else:
                    sock.close()

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
        for sock in self.kept:
            sock.close()


BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
TIMES = 12  # whether it comes before or after we look is chance


@pytest.mark.parametrize(
    ("port", "said", "stays", "answer"),
    [
        (80, b"", False, b"HTTP/1.1 502 "),
        (80, BUSY, True, b"HTTP/1.1 503 Busy\r\n"),
        (80, BUSY, False, b"HTTP/1.1 503 Busy\r\n"),
        (443, b"", False, b"HTTP/1.1 502 "),
        (443, BUSY, True, b"HTTP/1.1 502 "),
    ],
)
def test_an_upstream_that_speaks_or_leaves_first_is_answered_for(
    rig: Rig, port: int, said: bytes, stays: bool, answer: bytes
) -> None:
    with contextlib.closing(Hasty(said, stays=stays)) as server:
        rig.configure(connect_to={f"api.test:{port}": server.address})
        rig.session()
        for _ in range(TIMES):
            client = rig.connect() if port == 80 else rig.tunnel()
            client.send(GET.replace(b"GET /", b"GET http://api.test/") if port == 80 else GET)
            assert client.head().startswith(answer)
            client.close()
        assert len(rig.audited(TIMES)) == TIMES


@pytest.mark.parametrize("stays", [True, False])
def test_a_server_that_speaks_first_is_heard_in_a_tunnel(rig: Rig, stays: bool) -> None:
    with contextlib.closing(Hasty(b"SSH-2.0-x\r\n", stays=stays)) as server:
        rig.configure(connect_to={"api.test:22": server.address}, passthrough=("api.test",))
        rig.session()
        for _ in range(TIMES):
            client = rig.connect()
            client.send(b"CONNECT api.test:22 HTTP/1.1\r\nHost: api.test:22\r\n\r\n")
            assert client.head().startswith(b"HTTP/1.1 200 ")
            assert client.exactly(11) == b"SSH-2.0-x\r\n"
            assert stays or client.at_end()
            client.close()
