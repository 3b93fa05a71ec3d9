"""A client that takes too long is let go, and told why where it can be told."""

from __future__ import annotations

import threading

import pytest

from clauderon.proxy.dataplane import timeouts
from tests.proxy.rig import Rig


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
