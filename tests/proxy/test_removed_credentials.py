"""A client's own credentials are removed wherever ours may come, and stay where it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from clauderon.proxy.http import problem
from tests.proxy.peers import GET
from tests.proxy.rig import CANARY, Rig

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
