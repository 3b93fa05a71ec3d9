"""Opening a connection to an upstream: the next address, a limit to waiting, and guarded addresses."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from clauderon.proxy.net import dial
from tests.proxy.peers import GET, OK, Peer, Upstream, answering, closed_port
from tests.proxy.rig import Rig, running


def test_a_port_nobody_listens_on(rig: Rig) -> None:
    rig.configure(connect_to={"api.test:443": f"127.0.0.1:{closed_port()}"})
    head, body = rig.ask(GET)
    assert head.startswith(b"HTTP/1.1 502 ")
    assert b"connecting to api.test failed: connection refused" in body
    assert rig.audited()[0].error == "upstream-connect"


def test_the_next_address_is_tried(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    upstream = rig.upstream()
    refused = closed_port()

    def getaddrinfo(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, 1, 6, "", ("127.0.0.1", port)) for port in (refused, upstream.port)]

    monkeypatch.setattr(rig.plane.shared.dialler.resolver, "getaddrinfo", getaddrinfo)
    rig.configure(connect_to={"api.test:443": "somewhere.test:443"})
    assert rig.ask(GET)[1] == b"ok"


def test_a_connection_nobody_accepts(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dial, "CONNECT_S", 0.05)

    async def sock_connect(*_: object) -> None:
        await never.wait()

    never = rig.call(_event)
    monkeypatch.setattr(rig.plane.shared.dialler, "sock_connect", sock_connect)
    rig.upstream()
    head, body = rig.ask(GET)
    assert head.startswith(b"HTTP/1.1 504 ")
    assert b"did not accept a connection in time" in body


def _event():  # type: ignore[no-untyped-def]
    import asyncio

    return asyncio.Event()


def test_a_handshake_that_stalls(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dial, "TLS_S", 0.05)
    rig.upstream(handler=lambda peer: _read_all(peer), tls=False, port=443)
    head, body = rig.ask(GET)
    assert head.startswith(b"HTTP/1.1 504 ")
    assert b"did not complete the TLS handshake" in body


def _read_all(peer: Peer) -> None:
    peer.rest()


def test_guarded_addresses_stay_guarded_behind_an_upstream_proxy(tmp_path: Path) -> None:
    with running(tmp_path) as rig:
        through = Upstream(answering(OK), None)
        rig.upstreams.append(through)
        rig.configure(upstream_proxy=f"http://127.0.0.1:{through.port}")
        hosts = (
            "localhost",
            "a.localhost",
            "ip6-localhost",
            "metadata.google.internal",
            "host.docker.internal",
        )
        for host in (*hosts, "127.0.0.1", "169.254.169.254"):
            client = rig.connect()
            client.send(f"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert client.message()[0].startswith(b"HTTP/1.1 403 "), host
        assert through.seen == b""


def _resolving(rig: Rig, monkeypatch: pytest.MonkeyPatch, table: dict[str, list[str]]) -> None:
    """Let names resolve as in the table; the others cannot be resolved."""

    def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        if host not in table:
            raise socket.gaierror(-2, "Name or service not known")
        return [(socket.AF_INET, 1, 6, "", (address, port)) for address in table[host]]

    monkeypatch.setattr(rig.plane.shared.dialler.resolver, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize("passthrough", [(), ("inner.test",)])
def test_a_name_of_guarded_addresses_alone_is_guarded_behind_an_upstream_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, passthrough: tuple[str, ...]
) -> None:
    with running(tmp_path, passthrough=passthrough) as rig:
        through = Upstream(answering(OK), None)
        rig.upstreams.append(through)
        rig.configure(upstream_proxy=f"http://127.0.0.1:{through.port}")
        _resolving(rig, monkeypatch, {"inner.test": ["10.0.0.1", "169.254.169.254"]})
        client = rig.connect()
        client.send(b"GET http://inner.test/ HTTP/1.1\r\nHost: inner.test\r\n\r\n")
        head, body = client.message()
        assert head.startswith(b"HTTP/1.1 403 ") and b"inner.test resolves to an address" in body
        if passthrough:
            client = rig.connect()
            client.send(b"CONNECT inner.test:443 HTTP/1.1\r\nHost: inner.test:443\r\n\r\n")
            assert client.head().startswith(b"HTTP/1.1 403 ")
        else:
            head, _ = rig.ask(b"GET / HTTP/1.1\r\nHost: inner.test\r\n\r\n", "inner.test")
            assert head.startswith(b"HTTP/1.1 403 ")
        assert {record.rule for record in rig.audited(2)} == {"address-guard"}
        assert through.seen == b""


def test_an_upstream_proxy_is_asked_for_names_that_only_it_can_resolve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dial, "GLANCE_S", 0.05)
    with running(tmp_path) as rig:
        through = Upstream(answering(OK), None)
        rig.upstreams.append(through)
        rig.configure(upstream_proxy=f"http://127.0.0.1:{through.port}")
        _resolving(rig, monkeypatch, {"public.test": ["10.0.0.1", "93.184.216.34"]})
        known, answer = rig.plane.shared.dialler.resolver.getaddrinfo, threading.Event()
        asked = []

        def getaddrinfo(host: str, port: int, **more: Any) -> Any:
            asked.append(host)
            if host == "slow.test":
                answer.wait(30)
            return known(host, port, **more)

        monkeypatch.setattr(rig.plane.shared.dialler.resolver, "getaddrinfo", getaddrinfo)
        for host in (b"public.test", b"unknown.test", b"slow.test", b"slow.test"):
            client = rig.connect()
            client.send(b"GET http://%b/ HTTP/1.0\r\n\r\n" % host)
            assert client.message()[1] == b"ok"
        answer.set()
        assert asked == ["public.test", "unknown.test", "slow.test"], (
            "what was not answered is not waited for again"
        )
