"""Addresses that no session may reach, however they are written or come about."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.proxy.peers import GET, OK, Upstream, answering
from tests.proxy.rig import Rig, connect_answer, running

# Which addresses.

GUARDED = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1",
    "169.254.169.254", "168.63.129.16", "192.0.0.192", "198.18.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1",
    "[::1]", "[::]", "[fe80::1]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[fec0::1]", "[::ffff:127.0.0.1]",
    "[::ffff:a9fe:a9fe]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2001:db8::1]",
    "192.88.99.1", "[64:ff9b:1::808:808]", "[64:ff9b:1:ffff::1]", "[::ffff:0:8.8.8.8]", "[2001:2::1]", "[2001:20::1]",
    "[2001:1f::1]", "[3fff::1]", "[5f00::1]",
]  # fmt: skip

UNUSUAL = ["2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "127.1", "127.0.1", "0", "1.2.3.256", "1.2.3", "08.8.8.8", "1.2.3.4.5", "0x", "127.0.0.1.1", "[fe80::1%25eth0]"]  # fmt: skip


@pytest.mark.parametrize("address", GUARDED)
def test_a_guarded_address_is_refused(rig: Rig, address: str) -> None:
    head, body = connect_answer(rig, f"{address}:443")
    assert head.startswith(b"HTTP/1.1 403 ")
    assert b"guarded" in body
    assert rig.audited()[0].rule == "address-guard"


@pytest.mark.parametrize("address", UNUSUAL)
def test_an_unusual_notation_of_an_address_is_refused(rig: Rig, address: str) -> None:
    """Seen to fail when such an address was taken for a name."""
    head, _ = connect_answer(rig, f"{address}:443")
    assert head.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("address", ["127.0.0.1", "[::1]", "10.1.2.3"])
def test_plain_http_is_guarded_too(rig: Rig, address: str) -> None:
    client = rig.connect()
    client.send(f"GET http://{address}/ HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
    assert client.message()[0].startswith(b"HTTP/1.1 403 ")


def _resolve(rig: Rig, monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Let every name resolve to these, one after the other at each look-up, then always to the last."""
    left = list(addresses)

    def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        address = left.pop(0) if len(left) > 1 else left[0]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(rig.plane.shared.dialler.resolver, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("allow", [None, ("api.test",), ("*",)])
def test_an_allowed_name_that_resolves_to_a_guarded_address_is_refused(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, address: str, allow: tuple[str, ...] | None
) -> None:
    """Seen to fail when the address that a name resolved to was not looked at."""
    _resolve(rig, monkeypatch, address)
    rig.session(allow=allow)
    rig.grants.add("api.test")
    head, body = rig.ask(GET)
    assert head.startswith(b"HTTP/1.1 403 ")
    assert b"api.test resolves to" in body
    assert rig.audited()[0].rule == "address-guard"


def test_the_address_that_was_checked_is_the_one_dialled(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that changes between a check and a dial cannot: there is one look-up, and its answer is dialled.

    Seen to fail with a second look-up for the dial.
    """
    server = Upstream(answering(OK), rig.server_context("api.test"))
    rig.upstreams.append(server)
    _resolve(rig, monkeypatch, "93.184.216.34", "127.0.0.1")
    dialled: list[str] = []

    async def sock_connect(sock: socket.socket, address: tuple[str, int]) -> None:
        dialled.append(address[0])
        raise ConnectionRefusedError(111, "refused")

    monkeypatch.setattr(rig.plane.shared.dialler, "sock_connect", sock_connect)
    head, _ = rig.ask(b"GET / HTTP/1.1\r\nHost: api.test:%d\r\n\r\n" % server.port, port=server.port)
    assert head.startswith(b"HTTP/1.1 502 ")
    assert dialled == ["93.184.216.34"]
    assert server.seen == b""


def test_an_address_the_allow_list_names_itself_may_be_dialled(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Upstream(answering(OK), rig.server_context("api.test"))
    rig.upstreams.append(server)
    _resolve(rig, monkeypatch, "127.0.0.1")
    rig.session(allow=("api.test", "127.0.0.1"))
    request = b"GET / HTTP/1.1\r\nHost: api.test:%d\r\n\r\n" % server.port
    assert rig.ask(request, port=server.port)[1] == b"ok"


def test_connect_to_names_the_target_and_keeps_the_name(rig: Rig) -> None:
    upstream = rig.upstream()
    assert rig.ask(GET)[1] == b"ok"
    assert b"Host: api.test\r\n" in upstream.seen
    head, _ = rig.ask(b"GET / HTTP/1.1\r\nHost: api.test:8443\r\n\r\n", port=8443)
    assert head[9:12] in (b"502", b"504"), "another port is another target"


def test_the_proxy_never_dials_itself(rig: Rig) -> None:
    """Seen to fail when its own ports were not compared."""
    port = rig.session(allow=("127.0.0.1", "self.test"))
    rig.configure(connect_to={"self.test:443": f"127.0.0.1:{port}"})
    head, body = rig.ask(b"GET / HTTP/1.1\r\nHost: self.test\r\n\r\n", "self.test")
    assert head.startswith(b"HTTP/1.1 403 ")
    assert b"own proxy" in body


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "host.docker.internal"])
@pytest.mark.parametrize("passthrough", [(), ("*",)])
def test_a_connect_to_the_proxy_or_to_the_hosts_services_leads_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, passthrough: tuple[str, ...]
) -> None:
    """Seen to fail with no address guarded."""
    with running(tmp_path, passthrough=passthrough) as rig:
        service = Upstream(answering(OK), None)
        rig.upstreams.append(service)
        _resolve(rig, monkeypatch, "127.0.0.1")
        for port in (rig.session(), rig.main(), service.port):
            head, _ = connect_answer(rig, f"{host}:{port}")
            if head.startswith(b"HTTP/1.1 200 "):
                request = f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()
                head, _ = rig.ask(request, host, port=port)
            assert head.startswith(b"HTTP/1.1 403 "), port
        assert not service.peers
        assert {record.rule for record in rig.records.all} == {"address-guard"}


def test_an_address_of_this_machine_is_known_once_it_is_reached(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A public address of this machine's own is in no range: that both ends of the connection have it tells.

    Seen to fail when the two ends were not compared.
    """
    server = Upstream(answering(OK), rig.server_context("api.test"))
    rig.upstreams.append(server)
    _resolve(rig, monkeypatch, "127.0.0.1")
    for module in ("net.dial", "policy.rules"):
        monkeypatch.setattr(f"clauderon.proxy.{module}.guarded", lambda _: None)
    head, body = rig.ask(b"GET / HTTP/1.1\r\nHost: api.test:%d\r\n\r\n" % server.port, port=server.port)
    assert head.startswith(b"HTTP/1.1 403 ")
    assert b"this machine itself" in body
    assert rig.audited()[0].rule == "address-guard"
    assert server.seen == b""
