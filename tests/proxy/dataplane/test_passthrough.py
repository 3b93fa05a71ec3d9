"""Tunnels that nobody looks into: the main port, and the hosts of `[proxy] passthrough`."""

from __future__ import annotations

import json
import socket
import ssl
from pathlib import Path

import pytest

from tests.proxy.peers import GET, Peer
from tests.proxy.rig import Rig, connect_answer, running

# The main port.


def test_the_main_port_tells_its_health(rig: Rig) -> None:
    port = rig.main({"status": "ok", "version": "1"})
    for request in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /?a HTTP/1.0\r\n\r\n"):
        client = rig.connect(port=port)
        client.send(request)
        head, body = client.message()
        assert head.startswith(b"HTTP/1.1 200 ") and b"application/json" in head
        assert json.loads(body) == {"status": "ok", "version": "1"}
    client = rig.connect(port=port)
    client.send(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert client.rest().startswith(b"HTTP/1.1 200 ")
    client = rig.connect(port=port)
    client.send(b"GET /etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n")
    assert client.message()[0].startswith(b"HTTP/1.1 404 ")


def test_a_sessions_port_tells_the_main_ports_health_by_its_url(rig: Rig) -> None:
    port = rig.main({"status": "ok"})
    client = rig.connect()
    client.send(
        f"GET http://host.docker.internal:{port}/ HTTP/1.1\r\nHost: host.docker.internal:{port}\r\n\r\n".encode()
    )
    assert json.loads(client.message()[1]) == {"status": "ok"}


def test_the_main_port_tunnels_without_looking_inside(rig: Rig) -> None:
    upstream = rig.upstream()
    rig.grants.add("api.test")
    client = rig.connect(port=rig.main())
    client.send(b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n")
    assert client.head().startswith(b"HTTP/1.1 200 ")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    rig.upstream_ca.configure_trust(context)
    tls = context.wrap_socket(client.sock, server_hostname="api.test")
    tls.sendall(GET)
    assert tls.recv(1000).endswith(b"ok")
    tls.close()
    assert upstream.seen == GET
    assert rig.audited()[0].kind == "tunnel"


def test_the_main_port_proxies_plain_http_without_credentials(rig: Rig) -> None:
    upstream = rig.upstream(tls=False)
    rig.grants.add("api.test")
    client = rig.connect(port=rig.main())
    client.send(b"GET http://api.test/ HTTP/1.1\r\nHost: api.test\r\nX-Api-Key: mine\r\n\r\n")
    assert client.message()[1] == b"ok"
    assert b"X-Api-Key: mine" in upstream.seen


def test_whoever_is_not_on_this_machine_gets_health_alone(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen to fail when the address was not looked at."""
    upstream = rig.upstream(tls=False)
    port = rig.main()
    monkeypatch.setattr("clauderon.proxy.dataplane.client.canonical_address", lambda _: "172.17.0.2")
    for request in (
        b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n",
        b"GET http://api.test/ HTTP/1.1\r\nHost: api.test\r\n\r\n",
    ):
        client = rig.connect(port=port)
        client.send(request)
        assert client.message()[0].startswith(b"HTTP/1.1 403 ")
    client = rig.connect(port=port)
    client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert client.message()[0].startswith(b"HTTP/1.1 200 ")
    assert upstream.seen == b""


def test_a_tunnel_closes_by_halves(tmp_path: Path) -> None:
    def handle(peer: Peer) -> None:
        peer.send(b"all: " + peer.rest())

    with running(tmp_path, passthrough=("*.raw.test",)) as rig:
        rig.upstream("a.raw.test", handle, tls=False, port=5000)
        client = rig.connect()
        client.send(b"CONNECT a.raw.test:5000 HTTP/1.1\r\nHost: a.raw.test:5000\r\n\r\nfirst ")
        assert client.head().startswith(b"HTTP/1.1 200 ")
        client.send(b"second")
        client.sock.shutdown(socket.SHUT_WR)
        assert client.rest() == b"all: first second"


def test_a_passthrough_that_cannot_be_reached_says_so_to_the_connect(tmp_path: Path) -> None:
    with running(tmp_path, passthrough=("raw.test",)) as rig:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        rig.configure(connect_to={"raw.test:443": f"127.0.0.1:{port}"})
        head, body = connect_answer(rig, "raw.test:443")
        assert head.startswith(b"HTTP/1.1 502 ")
        assert b"connecting to raw.test failed" in body
