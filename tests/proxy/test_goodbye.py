"""How a client may leave: what it is owed, and what it must not be able to do by leaving oddly."""

from __future__ import annotations

import contextlib
import socket
import ssl

import pytest

from clauderon.record import Session
from tests.proxy.service_rig import DEADLINE_S, Service


@pytest.fixture
def session(pointed: Service) -> Session:
    made = pointed.session("one")
    pointed.ensure()
    return made


def opened(proxy: Service, session: Session) -> ssl.SSLSocket:
    sock = socket.create_connection(("127.0.0.1", session.port), DEADLINE_S)
    sock.sendall(b"CONNECT plain.test:443 HTTP/1.1\r\nHost: plain.test:443\r\n\r\n")
    assert b" 200 " in sock.recv(1000)
    context = ssl.create_default_context(cafile=str(proxy.home.ca_cert))
    return context.wrap_socket(sock, server_hostname="plain.test")


@pytest.mark.parametrize("asks", [False, True])
def test_a_client_that_says_goodbye_is_answered(pointed: Service, session: Session, asks: bool) -> None:
    tunnel = opened(pointed, session)
    if asks:
        tunnel.sendall(b"GET / HTTP/1.1\r\nHost: plain.test\r\n\r\n")
        answer = b""
        while not answer.endswith(b"}"):
            answer += tunnel.recv(1000)
    with contextlib.closing(tunnel.unwrap()) as sock:  # waits for the proxy's own goodbye
        assert sock.recv(1) == b""


def test_what_follows_a_goodbye_hurts_nobody(pointed: Service, session: Session) -> None:
    # By hand, so that goodbye and garbage come in one segment.
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context(cafile=str(pointed.home.ca_cert))
    sock = socket.create_connection(("127.0.0.1", session.port), DEADLINE_S)
    with contextlib.closing(sock):
        sock.sendall(b"CONNECT plain.test:443 HTTP/1.1\r\nHost: plain.test:443\r\n\r\n")
        sock.recv(1000)
        tls = context.wrap_bio(incoming, outgoing, server_hostname="plain.test")
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                sock.sendall(outgoing.read())
                incoming.write(sock.recv(65536))
        with contextlib.suppress(ssl.SSLError):
            tls.unwrap()
        sock.sendall(outgoing.read() + b"\x17\x03\x03\x40\x00" + b"x" * 20_000)
        with contextlib.suppress(ConnectionError):
            while sock.recv(65536):
                pass
    assert pointed.request(session, "plain.test")[0] == 200
