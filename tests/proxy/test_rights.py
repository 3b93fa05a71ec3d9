"""Who may use which port, for which hosts and addresses, with which methods; and how rights change under way."""

from __future__ import annotations

import json
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from tests.proxy.rig import OK, Peer, Rig, Upstream, answering, running

GET = b"GET / HTTP/1.1\r\nHost: api.test\r\n\r\n"


def _connect(rig: Rig, target: str, *, name: str = "one") -> tuple[bytes, bytes]:
    """The answer to a CONNECT; a refusal's body."""
    client = rig.connect(name)
    client.send(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    head = client.head()
    return head, b"" if head.startswith(b"HTTP/1.1 200 ") else client.rest()


# Which session.


def test_a_port_serves_its_own_containers_address_alone(rig: Rig) -> None:
    """Seen to fail when the address was not compared."""
    rig.session(source="127.0.0.2")
    client = rig.connect(source="127.0.0.1")
    client.send(b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n")
    head, body = client.message()
    assert head.startswith(b"HTTP/1.1 403 ")
    assert b"another session" in body
    assert client.at_end()
    record = rig.audited()[0]
    assert record.refused and record.rule == "source-address" and record.session == "one"
    client = rig.connect(source="127.0.0.2")
    client.send(b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n")
    assert client.head().startswith(b"HTTP/1.1 200 ")


def test_where_source_addresses_are_hidden_any_may_come(rig: Rig) -> None:
    rig.session(source=None)
    client = rig.connect(source="127.0.0.3")
    client.send(b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n")
    assert client.head().startswith(b"HTTP/1.1 200 ")


def test_a_session_that_is_closed_is_closed_at_once(rig: Rig) -> None:
    rig.upstream()
    client = rig.tunnel()
    client.send(GET)
    client.message()
    rig.run(rig.plane.close_session("one"))
    assert not client.fill()
    with pytest.raises(OSError):
        rig.connect()
    assert "one" not in rig.call(lambda: dict(rig.plane.counters))


# Which hosts.


@pytest.mark.parametrize(
    ("allow", "host", "may"),
    [
        (None, "api.test", True),
        ((), "api.test", False),
        (("api.test",), "api.test", True),
        (("API.Test.",), "api.test", True),
        (("api.test",), "API.TEST.", True),
        (("api.test",), "x.api.test", False),
        (("*.api.test",), "x.api.test", True),
        (("*.api.test",), "y.x.api.test", True),
        (("*.api.test",), "api.test", False),
        (("*.api.test",), "xapi.test", False),
        (("*",), "api.test", True),
        (("api.test:443",), "api.test", True),
        (("api.test:8443",), "api.test", False),
        (("münchen.test",), "xn--mnchen-3ya.test", True),
        (("xn--mnchen-3ya.test",), "XN--MNCHEN-3YA.test", True),
        (("93.184.216.34",), "93.184.216.34", True),
        (("not a host", "api.test"), "api.test", True),
        (("not a host",), "api.test", False),
    ],
)
def test_the_allow_list(rig: Rig, allow: tuple[str, ...] | None, host: str, may: bool) -> None:
    """Seen to fail with every host allowed."""
    rig.session(allow=allow)
    head, body = _connect(rig, f"{host}:443")
    assert head.startswith(b"HTTP/1.1 200 " if may else b"HTTP/1.1 403 ")
    if not may:
        assert b"hint: add" in body
        assert rig.audited()[0].refused


@pytest.mark.parametrize(
    ("deny", "host", "may"),
    [
        (("evil.test",), "api.test", True),
        (("evil.test",), "evil.test", False),
        (("evil.test",), "EVIL.test.", False),
        (("*.evil.test",), "x.evil.test", False),
        (("*.evil.test",), "evil.test", True),
        (("evil.test:443",), "evil.test", False),
        (("evil.test:80",), "evil.test", True),
        (("*",), "api.test", False),
        (("not a host",), "api.test", False),
    ],
)
def test_the_deny_list(rig: Rig, deny: tuple[str, ...], host: str, may: bool) -> None:
    rig.session(deny=deny)
    assert _connect(rig, f"{host}:443")[0].startswith(b"HTTP/1.1 200 " if may else b"HTTP/1.1 403 ")


def test_deny_is_stronger_than_allow(rig: Rig) -> None:
    rig.session(allow=("*.test",), deny=("api.test",))
    assert _connect(rig, "api.test:443")[0].startswith(b"HTTP/1.1 403 ")
    assert _connect(rig, "b.test:443")[0].startswith(b"HTTP/1.1 200 ")


def test_lists_hold_for_plain_http_too(rig: Rig) -> None:
    upstream = rig.upstream(tls=False)
    rig.session(allow=())
    client = rig.connect()
    client.send(b"GET http://api.test/ HTTP/1.1\r\nHost: api.test\r\n\r\n")
    head, body = client.message()
    assert head.startswith(b"HTTP/1.1 403 ") and b"api.test is not on this session's allow list" in body
    assert upstream.seen == b""


def test_the_reason_stands_in_the_status_line_of_a_refused_connect(rig: Rig) -> None:
    rig.session(allow=())
    head, _ = _connect(rig, "api.test:443")
    assert head.startswith(b"HTTP/1.1 403 api.test is not on this session's allow list\r\n")


def test_new_rights_count_for_the_next_request_inside_an_open_tunnel(rig: Rig) -> None:
    rig.upstream()
    client = rig.tunnel()
    client.send(GET)
    assert client.message()[1] == b"ok"
    rig.call(rig.plane.update_policy, rig.policy(allow=()))
    client.send(GET)
    assert client.message()[0].startswith(b"HTTP/1.1 403 ")
    rig.call(rig.plane.update_policy, rig.policy())
    client.send(GET)
    assert client.message()[1] == b"ok"


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
    head, body = _connect(rig, f"{address}:443")
    assert head.startswith(b"HTTP/1.1 403 ")
    assert b"guarded" in body
    assert rig.audited()[0].rule == "address-guard"


@pytest.mark.parametrize("address", UNUSUAL)
def test_an_unusual_notation_of_an_address_is_refused(rig: Rig, address: str) -> None:
    """Seen to fail when such an address was taken for a name."""
    head, _ = _connect(rig, f"{address}:443")
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
            head, _ = _connect(rig, f"{host}:{port}")
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


# Which requests.

FETCH = b"\r\nContent-Type: application/x-git-upload-pack-request"
READING = [b"GET / HTTP/1.1", b"HEAD / HTTP/1.1", b"OPTIONS / HTTP/1.1", b"GET /o/r.git/info/refs?service=git-upload-pack HTTP/1.1",
           b"POST /o/r.git/git-upload-pack HTTP/1.1%b" % FETCH, b"POST /a/b/c-d_e~.git/git-upload-pack HTTP/1.1%b" % FETCH]  # fmt: skip
CHANGING = [
    b"POST / HTTP/1.1", b"PUT / HTTP/1.1", b"PATCH / HTTP/1.1", b"DELETE / HTTP/1.1", b"get / HTTP/1.1", b"PURGE / HTTP/1.1",
    b"POST /o/r.git/git-receive-pack HTTP/1.1", b"POST /o/r.git/git-upload-pack/ HTTP/1.1",
    b"POST /o/r.git/git-upload-pack?x HTTP/1.1", b"POST /o/r/../git-upload-pack HTTP/1.1",
    b"POST /o//git-upload-pack HTTP/1.1", b"POST /o/%2e%2e/git-upload-pack HTTP/1.1",
    b"POST /o/x%2Fgit-upload-pack HTTP/1.1", b"POST /o/./git-upload-pack HTTP/1.1", b"POST /git-upload-pack HTTP/1.1",
    b"POST /graphql;/git-upload-pack HTTP/1.1", b"GET /o/r.git/info/refs?service=git-receive-pack HTTP/1.1",
    b"GET / HTTP/1.1\r\nX-HTTP-Method-Override: DELETE", b"GET / HTTP/1.1\r\nX_HTTP_Method_Override: DELETE",
    b"GET / HTTP/1.1\r\nx-http_method: DELETE", b"GET / HTTP/1.1\r\nx-method-override: PUT",
    b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket",
]  # fmt: skip


def _request(line: bytes) -> bytes:
    return line + b"\r\nHost: api.test\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("line", READING)
def test_a_read_only_session_may_read(rig: Rig, line: bytes) -> None:
    rig.upstream()
    rig.grants.add("api.test", name="github", git=True)
    rig.session(access_mode="read-only")
    assert rig.ask(_request(line))[0].startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("line", CHANGING)
def test_a_read_only_session_may_not_change_anything(rig: Rig, line: bytes) -> None:
    """Seen to fail when no session was read-only."""
    upstream = rig.upstream()
    rig.grants.add("api.test", name="github")
    rig.session(access_mode="read-only")
    head, body = rig.ask(_request(line))
    assert head.startswith(b"HTTP/1.1 403 ")
    assert b"read-only" in body and b"set-access-mode" in body
    assert upstream.seen == b""
    assert rig.audited()[0].rule == "read-only"


@pytest.mark.parametrize("line", CHANGING)
def test_a_read_write_session_may(rig: Rig, line: bytes) -> None:
    rig.upstream()
    rig.grants.add("api.test", name="github", websocket=True)
    assert rig.ask(_request(line))[0].startswith(b"HTTP/1.1 200 ")


def test_read_only_leaves_models_and_hosts_without_a_credential_alone(rig: Rig) -> None:
    rig.upstream("model.test")
    rig.upstream("other.test")
    rig.grants.add("model.test", model_api=True)
    rig.session(access_mode="read-only")
    for host in ("model.test", "other.test"):
        request = b"POST / HTTP/1.1\r\nHost: %b\r\nContent-Length: 0\r\n\r\n" % host.encode()
        assert rig.ask(request, host)[1] == b"ok"


def test_the_access_mode_changes_inside_an_open_tunnel(rig: Rig) -> None:
    rig.upstream()
    rig.grants.add("api.test", name="github")
    client = rig.tunnel()
    post = _request(b"POST / HTTP/1.1")
    client.send(post)
    assert client.message()[1] == b"ok"
    rig.call(rig.plane.update_policy, rig.policy(access_mode="read-only"))
    client.send(post)
    assert client.message()[0].startswith(b"HTTP/1.1 403 ")
    client.send(GET)
    assert client.message()[1] == b"ok", "the tunnel itself goes on"
    rig.call(rig.plane.update_policy, rig.policy())
    client.send(post)
    assert client.message()[1] == b"ok"


def test_a_refused_request_with_a_body_is_answered_before_the_body_is_read(rig: Rig) -> None:
    rig.upstream()
    rig.grants.add("api.test", name="github")
    rig.session(access_mode="read-only")
    client = rig.tunnel()
    client.send(b"POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 10000000\r\n\r\n" + b"x" * 65536)
    assert client.message()[0].startswith(b"HTTP/1.1 403 ")
    assert client.at_end()


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
        head, body = _connect(rig, "raw.test:443")
        assert head.startswith(b"HTTP/1.1 502 ")
        assert b"connecting to raw.test failed" in body


UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: api.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
)


@pytest.mark.parametrize(
    ("model_api", "rights", "goes_on"),
    [
        (False, {"access_mode": "read-only"}, False),
        (True, {"access_mode": "read-only"}, True),
        (False, {"deny": ("api.test",)}, False),
        (False, {"allow": ("other.test",)}, False),
        (False, {"allow": ("api.test",)}, True),
    ],
)
def test_what_was_upgraded_ends_with_the_right_to_it(
    rig: Rig, model_api: bool, rights: dict[str, Any], goes_on: bool
) -> None:
    def handle(peer: Peer) -> None:
        peer.head()
        peer.send(UPGRADE[1])
        while data := peer.exactly(2):
            peer.send(data)

    rig.upstream(handler=handle)
    rig.grants.add("api.test", model_api=model_api, websocket=True)
    client = rig.tunnel()
    client.send(UPGRADE[0])
    assert client.head().startswith(b"HTTP/1.1 101 ")
    client.send(b"hi")
    assert client.exactly(2) == b"hi"
    rig.call(rig.plane.update_policy, rig.policy(**rights))
    if goes_on:
        client.send(b"on")
        assert client.exactly(2) == b"on"
    else:
        assert client.at_end()
        record = rig.audited()[0]
        assert (record.kind, record.error) == ("upgrade", "rights-changed")


def test_a_refusal_names_its_rule_in_one_word_and_what_helps(rig: Rig) -> None:
    rig.session(allow=("other.test",))
    head, body = _connect(rig, "api.test:443")
    assert b"X-Clauderon-Refusal: not-allowed\r\n" in head
    assert b'add "api.test" to [network] allow' in body
    rig.call(rig.plane.update_policy, rig.policy(allow=("other.test",), own_allow=True))
    head, body = _connect(rig, "api.test:443")
    assert b"--allow api.test" in body and b"[network]" not in body
