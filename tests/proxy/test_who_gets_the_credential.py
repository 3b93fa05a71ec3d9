"""A credential reaches its own host over verified TLS, and nothing else ever sees it."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from tests.proxy.peers import GET, answering
from tests.proxy.rig import CANARY, Rig, running


def test_it_is_injected_for_its_host(rig: Rig) -> None:
    upstream = rig.upstream()
    rig.grants.add("api.test")
    rig.ask(GET)
    assert upstream.seen == b"GET / HTTP/1.1\r\nHost: api.test\r\nx-api-key: %b\r\n\r\n" % CANARY.encode()


@pytest.mark.parametrize(
    "host", ["api.test.evil.test", "evil-api.test", "xapi.test", "test", "api.test.test"]
)
def test_a_look_alike_gets_nothing(rig: Rig, host: str) -> None:
    """Seen to fail with the credential lent whatever the host."""
    upstream = rig.upstream(host)
    rig.grants.add("api.test")
    rig.ask(b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % host.encode(), host)
    assert CANARY.encode() not in upstream.seen
    assert rig.audited()[0].credential is None


@pytest.mark.parametrize("spelling", ["API.TEST", "api.test.", "Api.Test."])
def test_another_spelling_of_the_host_is_the_same_host(rig: Rig, spelling: str) -> None:
    """Seen to fail when letters and dots were left as they came."""
    upstream = rig.upstream()
    rig.grants.add("api.test")
    plain = rig.connect()
    plain.send(f"CONNECT {spelling}:443 HTTP/1.1\r\nHost: {spelling}:443\r\n\r\n".encode())
    assert plain.head().startswith(b"HTTP/1.1 200 ")
    tls = rig.client_context().wrap_socket(plain.sock, server_hostname="api.test")
    tls.sendall(b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % spelling.encode())
    assert tls.recv(1000).startswith(b"HTTP/1.1 200 ")
    assert CANARY.encode() in upstream.seen
    assert rig.audited()[0].host == "api.test"
    tls.close()


@pytest.mark.parametrize(
    ("host", "inner"),
    [
        ("api.test", b"api.test:443"),
        ("api.test", b"API.Test.:443"),
        ("xn--bcher-kva.test", b"xn--bcher-kva.test"),
        ("xn--bcher-kva.test", b"XN--Bcher-KVA.test.:443"),
    ],
)
def test_another_spelling_of_the_host_inside_the_tunnel_is_the_same_host(
    rig: Rig, host: str, inner: bytes
) -> None:
    """Seen to fail when letters and dots were left as they came."""
    upstream = rig.upstream(host)
    rig.grants.add(host)
    request = b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % inner
    assert rig.ask(request, host)[1] == b"ok"
    assert upstream.seen == request[:-2] + b"x-api-key: %b\r\n\r\n" % CANARY.encode()


@pytest.mark.parametrize(
    "inner",
    ["bücher.test".encode(), "bücher.test".encode("latin-1"), b"xn--bcher-kva.test:444", b"bcher.test"],
)
def test_a_spelling_that_only_some_would_read_as_the_host_is_refused(rig: Rig, inner: bytes) -> None:
    upstream = rig.upstream("xn--bcher-kva.test")
    rig.grants.add("xn--bcher-kva.test")
    head, _ = rig.ask(b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % inner, "xn--bcher-kva.test")
    assert head[9:12] in (b"400", b"421")
    assert upstream.seen == b""


@pytest.mark.parametrize(
    "host",
    [b"other.test", b"api.test.other.test", b"api.test:444", b"other.test:443", b"127.0.0.1", b"[::1]"],
)
def test_a_host_that_is_not_the_tunnels_is_misdirected(rig: Rig, host: bytes) -> None:
    """Seen to fail when the Host was not compared."""
    upstream = rig.upstream()
    rig.grants.add("api.test")
    head, body = rig.ask(b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % host)
    assert head.startswith(b"HTTP/1.1 421 ")
    assert b"the tunnel is to api.test:443" in body
    assert upstream.seen == b""
    assert rig.audited()[0].rule == "agreement"


def test_the_first_request_agreeing_does_not_vouch_for_the_second(rig: Rig) -> None:
    """Seen to fail when the first Host alone was compared."""
    rig.upstream()
    client = rig.tunnel()
    client.send(GET + b"GET / HTTP/1.1\r\nHost: other.test\r\n\r\n")
    assert client.message()[0].startswith(b"HTTP/1.1 200 ")
    assert client.message()[0].startswith(b"HTTP/1.1 421 ")


def test_a_server_name_that_is_not_the_tunnels_is_misdirected(rig: Rig) -> None:
    """Seen to fail when the server name was not compared."""
    upstream = rig.upstream()
    rig.grants.add("api.test")
    client = rig.tunnel("api.test", sni="other.test")
    client.send(b"GET / HTTP/1.1\r\nHost: other.test\r\n\r\n")
    head, body = client.message()
    assert head.startswith(b"HTTP/1.1 421 ")
    assert b"asks for other.test" in body
    client = rig.tunnel("api.test", sni="other.test")
    client.send(GET)
    assert client.message()[0].startswith(b"HTTP/1.1 421 ")
    assert upstream.seen == b""


def test_a_tunnel_elsewhere_with_our_host_inside_gets_nothing(rig: Rig) -> None:
    """Seen to fail when the Host was not compared."""
    rig.upstream("api.test")
    evil = rig.upstream("evil.test")
    rig.grants.add("api.test")
    for sni in ("evil.test", "api.test"):
        client = rig.tunnel("evil.test", sni=sni)
        client.send(GET)
        assert client.message()[0].startswith(b"HTTP/1.1 421 ")
    assert evil.seen == b""


def test_a_handshake_without_a_server_name_is_the_tunnels(rig: Rig) -> None:
    upstream = rig.upstream()
    rig.grants.add("api.test")
    plain = rig.connect()
    plain.send(b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n")
    plain.head()
    context = rig.client_context()
    context.check_hostname = False
    tls = context.wrap_socket(plain.sock)
    names = tls.getpeercert()
    assert names is not None and ("DNS", "api.test") in names["subjectAltName"]
    tls.sendall(GET)
    assert tls.recv(1000).endswith(b"ok")
    assert CANARY.encode() in upstream.seen
    tls.close()


@pytest.mark.parametrize("host", [b"other.test:443", b"other.test", b"api.test:444", b"api.test:80"])
def test_a_connect_whose_host_field_differs_is_refused(rig: Rig, host: bytes) -> None:
    plain = rig.connect()
    plain.send(b"CONNECT api.test:443 HTTP/1.1\r\nHost: %b\r\n\r\n" % host)
    assert plain.head().startswith(b"HTTP/1.1 421 ")


@pytest.mark.parametrize("host", [b"api.test", b"API.test.", b"api.test:8443"])
def test_a_connect_whose_host_field_leaves_the_port_out_agrees(rig: Rig, host: bytes) -> None:
    plain = rig.connect()
    plain.send(b"CONNECT api.test:8443 HTTP/1.1\r\nHost: %b\r\n\r\n" % host)
    assert plain.head().startswith(b"HTTP/1.1 200 ")


def test_a_url_inside_the_tunnel_must_be_the_tunnels(rig: Rig) -> None:
    """Seen to fail when the URL was not compared."""
    rig.upstream()
    for url in (
        b"https://other.test/",
        b"http://api.test/",
        b"https://api.test:444/",
        b"https://u:p@api.test/",
    ):
        head, _ = rig.ask(b"GET %b HTTP/1.1\r\nHost: api.test\r\n\r\n" % url)
        assert head[9:12] in (b"421", b"400"), url


@pytest.mark.parametrize("host", ["api.test", "api.test:80", "API.TEST."])
def test_plain_http_never_carries_it(rig: Rig, host: str) -> None:
    """Seen to fail with the credential lent without TLS too."""
    upstream = rig.upstream(tls=False)
    rig.grants.add("api.test")
    client = rig.connect()
    client.send(
        f"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\nX-Api-Key: mine\r\nAuthorization: Bearer mine\r\n\r\n".encode()
    )
    assert client.message()[1] == b"ok"
    assert CANARY.encode() not in upstream.seen
    assert b"mine" not in upstream.seen
    assert rig.audited()[0].credential is None


def test_plain_http_with_a_spoofed_host_is_misdirected(rig: Rig) -> None:
    """Seen to fail when the Host was not compared with the URL."""
    evil = rig.upstream("evil.test", tls=False)
    rig.grants.add("api.test")
    client = rig.connect()
    client.send(b"GET http://evil.test/ HTTP/1.1\r\nHost: api.test\r\n\r\n")
    assert client.message()[0].startswith(b"HTTP/1.1 421 ")
    assert evil.seen == b""


def test_plain_text_inside_a_tunnel_is_refused(rig: Rig) -> None:
    upstream = rig.upstream()
    rig.grants.add("api.test")
    client = rig.connect()
    client.send(b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n" + GET)
    client.head()
    head, body = client.message()
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"not TLS" in body
    assert upstream.seen == b""


def test_a_redirect_is_for_the_client_to_follow_without_it(rig: Rig) -> None:
    rig.upstream(handler=b"HTTP/1.1 307 Go\r\nLocation: https://other.test/\r\nContent-Length: 0\r\n\r\n")
    other = rig.upstream("other.test")
    rig.grants.add("api.test")
    head, _ = rig.ask(GET)
    assert b"Location: https://other.test/" in head
    assert other.seen == b""


def test_a_passthrough_host_gets_the_clients_own_bytes(tmp_path: Path) -> None:
    with running(tmp_path, passthrough=("api.test",)) as rig:
        upstream = rig.upstream()
        rig.grants.add("api.test")
        plain = rig.connect()
        plain.send(b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n")
        assert plain.head().startswith(b"HTTP/1.1 200 ")
        context = ssl.create_default_context()
        rig.upstream_ca.configure_trust(context)
        tls = context.wrap_socket(plain.sock, server_hostname="api.test")
        tls.sendall(b"GET / HTTP/1.1\r\nHost: api.test\r\nAuthorization: Bearer mine\r\n\r\n")
        assert tls.recv(1000).endswith(b"ok")
        tls.close()
        assert CANARY.encode() not in upstream.seen
        assert b"Bearer mine" in upstream.seen
        record = rig.audited()[0]
        assert (record.kind, record.rule, record.credential) == ("tunnel", "open, passthrough", None)
        assert record.bytes_up > 0 and record.bytes_down > 0


def test_a_model_without_a_secret_says_what_would_supply_it(rig: Rig) -> None:
    upstream = rig.upstream()
    rig.grants.add("api.test", value=None, model_api=True)
    head, body = rig.ask(GET)
    assert head.startswith(b"HTTP/1.1 401 ")
    assert b'"authentication_error"' in body and b"set ANTHROPIC_API_KEY" in body
    assert upstream.seen == b""


def test_a_new_secret_counts_for_the_next_request_in_an_open_tunnel(rig: Rig) -> None:
    upstream = rig.upstream()
    rig.grants.add("api.test", value="first-secret-0001")
    client = rig.tunnel()
    client.send(GET)
    client.message()
    rig.grants.add("api.test", value="second-secret-0002")
    client.send(GET)
    client.message()
    assert upstream.seen.index(b"first-secret-0001") < upstream.seen.index(b"second-secret-0002")


def test_sessions_do_not_share_upstream_connections(rig: Rig) -> None:
    upstream = rig.upstream(handler=answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
    for name in ("one", "two"):
        client = rig.tunnel(name=name)
        client.send(GET)
        client.message()
    assert len(upstream.peers) == 2
