"""A credential reaches its own host over verified TLS, and nothing else ever sees it."""

from __future__ import annotations

import ssl
import threading
from pathlib import Path

import pytest
import trustme

from clauderon.proxy.http import problem
from tests.proxy.rig import CANARY, OK, Peer, Rig, answering, running

GET = b"GET / HTTP/1.1\r\nHost: api.test\r\n\r\n"


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


@pytest.mark.parametrize("trouble", ["unknown", "expired", "wrong-name"])
def test_an_upstream_that_is_not_trusted_is_never_asked(rig: Rig, trouble: str) -> None:
    """Seen to fail when no certificate was looked at."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if trouble == "unknown":
        trustme.CA().issue_cert("api.test").configure_cert(context)
    elif trouble == "expired":
        import datetime

        past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
        rig.upstream_ca.issue_cert("api.test", not_after=past).configure_cert(context)
    else:
        rig.upstream_ca.issue_cert("other.test").configure_cert(context)
    upstream = rig.upstream(context=context)
    rig.grants.add("api.test", model_api=True)
    head, body = rig.ask(GET)
    assert head.startswith(b"HTTP/1.1 502 ")
    word = {"unknown": b"upstream_ca", "expired": b"expired", "wrong-name": b"another host"}[trouble]
    assert word in body
    assert upstream.seen == b""
    assert rig.audited()[0].error == "upstream-certificate"


def test_an_upstream_without_tls_is_never_asked_in_the_clear(rig: Rig) -> None:
    """Seen to fail with no TLS begun."""
    upstream = rig.upstream(handler=_answer_the_first_bytes, tls=False, port=443)
    rig.grants.add("api.test")
    head, _ = rig.ask(GET)
    assert head.startswith(b"HTTP/1.1 502 ")
    assert CANARY.encode() not in upstream.seen


def _answer_the_first_bytes(peer: Peer) -> None:
    peer.fill()
    peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def test_a_connection_made_before_trust_was_withdrawn_serves_no_later_request(rig: Rig) -> None:
    """The CA in `upstream_ca` is replaced while a request is on its way over a connection the old one vouched for.

    Seen to fail when old connections were kept.
    """
    go = threading.Event()

    def handle(peer: Peer) -> None:
        while True:
            peer.message()
            assert go.wait(30)
            peer.send(OK)

    upstream = rig.upstream(handler=handle)
    rig.grants.add("api.test")
    client = rig.tunnel()
    client.send(GET)
    rig.wait(lambda: CANARY.encode() in upstream.seen)
    other = rig.ca_file.with_name("other-ca.pem")
    trustme.CA().cert_pem.write_to_path(str(other))
    rig.configure(upstream_ca=str(other))
    go.set()
    assert client.message()[0].startswith(b"HTTP/1.1 200 "), "what was on its way is finished"
    for _ in range(2):
        head, body = rig.ask(GET)
        assert head.startswith(b"HTTP/1.1 502 ")
        assert b"upstream_ca" in body
    assert upstream.seen.count(CANARY.encode()) == 1


def test_a_ticket_from_before_new_trust_is_dropped(rig: Rig) -> None:
    """A TLS session belongs to the context it was made in, and another one will not take it."""
    rig.upstream(handler=answering(OK, requests=1))
    for _ in range(2):
        assert rig.ask(GET)[1] == b"ok"
        rig.wait(lambda: rig.call(lambda: rig.plane.pool.size) == 0)
    kept = rig.plane.pool.tickets
    assert any(each.session for each in kept._kept.values())
    both = rig.ca_file.with_name("both-ca.pem")
    trustme.CA().cert_pem.write_to_path(str(both))
    rig.upstream_ca.cert_pem.write_to_path(str(both), append=True)
    rig.configure(upstream_ca=str(both))
    rig.call(lambda: setattr(rig.plane.pool, "tickets", kept))
    assert rig.ask(GET)[1] == b"ok"


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


STOLEN = [
    b"Authorization: Bearer mine",
    b"authorization:Basic bWluZQ==",
    b"X-Api-Key: mine",
    b"x-api-key: mine\r\nX-API-KEY: mine too",
    b"X_Api_Key: mine",
    b"x-goog-api-key: mine",
    b"Cookie: session=mine",
    b"Proxy-Authorization: Basic bWluZQ==",
]


@pytest.mark.parametrize("field", STOLEN)
def test_the_clients_own_credentials_are_removed_first(rig: Rig, field: bytes) -> None:
    """Seen to fail when nothing was removed."""
    upstream = rig.upstream()
    rig.grants.add("api.test")
    rig.ask(b"GET / HTTP/1.1\r\nHost: api.test\r\n%b\r\nX-Kept: 1\r\n\r\n" % field)
    seen = upstream.seen
    assert b"mine" not in seen and b"bWluZQ" not in seen
    assert seen.count(CANARY.encode()) == 1
    assert b"X-Kept: 1\r\n" in seen


@pytest.mark.parametrize("secret", [CANARY, None])
@pytest.mark.parametrize("field", STOLEN)
def test_they_are_removed_from_a_request_without_a_host_too(
    rig: Rig, field: bytes, secret: str | None
) -> None:
    """HTTP/1.0 may leave the Host out; the one we add must not move the lines that are removed."""
    upstream = rig.upstream()
    rig.grants.add("api.test", value=secret)
    ours = [b"x-api-key: " + secret.encode()] if secret else []
    assert rig.ask(b"GET / HTTP/1.0\r\n%b\r\nX-Kept: 1\r\n\r\n" % field)[1] == b"ok"
    line, *fields = upstream.seen.removesuffix(b"\r\n\r\n").split(b"\r\n")
    assert line == b"GET / HTTP/1.0"
    assert sorted(fields) == sorted([b"Host: api.test:443", b"X-Kept: 1", *ours])


@pytest.mark.parametrize("field", STOLEN)
def test_they_are_removed_even_where_no_secret_is_set(rig: Rig, field: bytes) -> None:
    upstream = rig.upstream()
    rig.grants.add("api.test", value=None)
    assert rig.ask(b"GET / HTTP/1.1\r\nHost: api.test\r\n%b\r\n\r\n" % field)[1] == b"ok"
    assert b"mine" not in upstream.seen and b"bWluZQ" not in upstream.seen


def test_a_model_without_a_secret_says_what_would_supply_it(rig: Rig) -> None:
    upstream = rig.upstream()
    rig.grants.add("api.test", value=None, model_api=True)
    head, body = rig.ask(GET)
    assert head.startswith(b"HTTP/1.1 401 ")
    assert b'"authentication_error"' in body and b"set ANTHROPIC_API_KEY" in body
    assert upstream.seen == b""


PLACEHOLDER = b"placeholder-of-the-container"


def test_a_placeholder_elsewhere_than_in_a_header_stays_what_it_is(rig: Rig) -> None:
    """The credential is put into its header, never in the place of a text: so none can be made to carry it away."""
    upstream = rig.upstream()
    rig.grants.add("api.test")
    body = b'{"key": "%b"}' % PLACEHOLDER
    rig.ask(
        b"POST /%b?key=%b HTTP/1.1\r\nHost: api.test\r\nX-Note: %b\r\nX-Api-Key: %b\r\nContent-Length: %d\r\n\r\n%b"
        % (PLACEHOLDER, PLACEHOLDER, PLACEHOLDER, PLACEHOLDER, len(body), body)
    )
    assert upstream.seen == (
        b"POST /%b?key=%b HTTP/1.1\r\nHost: api.test\r\nX-Note: %b\r\nx-api-key: %b\r\nContent-Length: %d\r\n\r\n%b"
        % (PLACEHOLDER, PLACEHOLDER, PLACEHOLDER, CANARY.encode(), len(body), body)
    )
    assert PLACEHOLDER.decode() in rig.audited()[0].path, "a path is no secret, its query may be one"
    assert "key=" not in repr(rig.records.all)


def test_nobody_is_asked_for_a_credential_by_a_407(rig: Rig) -> None:
    """git gives up on one, and an agent has nothing to answer it with."""
    rig.upstream()
    rig.grants.add("api.test", value=None, model_api=True)
    rig.session(allow=("api.test",))
    requests = [
        b"CONNECT other.test:443 HTTP/1.1\r\nHost: other.test:443\r\n\r\n",
        b"GET http://other.test/ HTTP/1.1\r\nHost: other.test\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"nonsense\r\n\r\n",
    ]
    for request in requests:
        client = rig.connect()
        client.send(request)
        assert client.message()[0][9:12] in (b"400", b"403"), request
    assert rig.ask(GET)[0].startswith(b"HTTP/1.1 401 ")
    assert b"407" not in Path(problem.__file__).read_bytes()
    assert all(b"Proxy-Authenticate" not in bytes(client.seen) for client in rig.clients)


def test_a_host_without_a_credential_keeps_the_clients_own(rig: Rig) -> None:
    upstream = rig.upstream()
    request = b"GET / HTTP/1.1\r\nHost: api.test\r\nAuthorization: Bearer mine\r\nCookie: a=b\r\n\r\n"
    rig.ask(request)
    assert upstream.seen == request


@pytest.mark.parametrize(
    "trailer",
    [
        b"Authorization: Bearer mine",
        b"x-api-key: mine",
        b"X_Api-Key: mine",
        b"Private_Token: mine",
        b"private-token: mine",
        b"X_HTTP_Method_Override: DELETE",
        b"Content_Length: 5",
        b"Content-Length: 5",
        b"Host: x",
    ],
)
def test_a_credential_cannot_come_in_a_trailer(rig: Rig, trailer: bytes) -> None:
    upstream = rig.upstream()
    rig.grants.headers = rig.grants.headers | {b"private_token"}
    rig.grants.add("api.test")
    head, body = rig.ask(
        b"POST / HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n%b\r\n\r\n"
        % trailer
    )
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"trailer" in body
    assert b"mine" not in upstream.seen


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


def test_a_new_kind_of_header_is_removed_from_the_very_next_request(rig: Rig) -> None:
    upstream = rig.upstream()
    rig.grants.add("api.test")
    client = rig.tunnel()
    request = b"GET / HTTP/1.1\r\nHost: api.test\r\nPrivate-Token: mine\r\n\r\n"
    client.send(request)
    client.message()
    assert b"mine" in upstream.seen
    rig.grants.headers = rig.grants.headers | {b"private-token"}
    client.send(request)
    client.message()
    assert upstream.seen.count(b"mine") == 1


def test_a_new_kind_of_header_does_not_cost_a_request_the_host_we_gave_it(rig: Rig) -> None:
    upstream = rig.upstream()
    rig.grants.add("api.test")
    rig.grants.headers = rig.grants.headers | {b"private-token"}
    assert rig.ask(b"GET / HTTP/1.0\r\nPrivate-Token: mine\r\n\r\n")[1] == b"ok"
    assert b"Host: api.test:443\r\n" in upstream.seen
    assert b"mine" not in upstream.seen


def test_sessions_do_not_share_upstream_connections(rig: Rig) -> None:
    upstream = rig.upstream(handler=answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
    for name in ("one", "two"):
        client = rig.tunnel(name=name)
        client.send(GET)
        client.message()
    assert len(upstream.peers) == 2
