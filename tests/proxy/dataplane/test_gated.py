"""A request behind a gate: nothing of it travels before the gate says yes, and then every byte as it came."""

from __future__ import annotations

import threading

import pytest

from clauderon.proxy.policy.grant import Scope
from tests.proxy.peers import Peer
from tests.proxy.rig import CANARY, Rig

HOST = "api.github.com"
HEAD = b"POST /graphql HTTP/1.1\r\nHost: api.github.com\r\nContent-Type: application/json\r\n"
QUESTION = b'{"query": "{ viewer { login } }"}'
CHANGE = b'{"query": "mutation { mergePullRequest(input: {}) { x } }"}'


@pytest.fixture
def forge(rig: Rig) -> Rig:
    """A session with a token that is lent for its own repositories alone."""
    rig.grants.add(HOST, b"authorization", name="github", scope=Scope())
    return rig


def chunked(body: bytes, size: int = 7) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def request(body: bytes, how: str = "length") -> bytes:
    if how == "length":
        return HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(body)


@pytest.mark.parametrize("how", ["length", "chunked"])
def test_what_passes_travels_with_its_credential_and_every_byte_of_its_body(forge: Rig, how: str) -> None:
    upstream = forge.upstream(HOST)
    head, _ = forge.ask(request(QUESTION, how), HOST)
    assert head.startswith(b"HTTP/1.1 200")
    sent_head, _, sent = upstream.seen.partition(b"\r\n\r\n")
    assert CANARY.encode() in sent_head
    assert sent == (QUESTION if how == "length" else chunked(QUESTION))


@pytest.mark.parametrize("how", ["length", "chunked"])
def test_nothing_of_what_is_refused_reaches_the_host(forge: Rig, how: str) -> None:
    """Seen to travel with the first answer of the gate taken for yes."""
    upstream = forge.upstream(HOST)
    head, _ = forge.ask(request(CHANGE, how), HOST)
    assert head.startswith(b"HTTP/1.1 403")
    assert upstream.seen == b""
    (record,) = forge.audited()
    assert (record.refused, record.credential) == (True, None)


def test_the_host_hears_nothing_before_the_last_byte_that_decides(forge: Rig) -> None:
    upstream = forge.upstream(HOST)
    client = forge.tunnel(HOST)
    whole = request(QUESTION)
    client.send(whole[:-1])
    # The proxy has read it once it has answered another session's request.
    other, _ = forge.ask(b"GET /user HTTP/1.1\r\nHost: api.github.com\r\n\r\n", HOST)
    assert other.startswith(b"HTTP/1.1 200")
    assert b"/graphql" not in upstream.seen
    client.send(whole[-1:])
    assert client.head().startswith(b"HTTP/1.1 200")
    assert upstream.seen.endswith(QUESTION)


def test_a_client_that_waits_to_be_told_to_go_on_is_told_by_us(forge: Rig) -> None:
    """The host is not asked yet. Seen to wait for ever without it."""
    forge.upstream(HOST)
    client = forge.tunnel(HOST)
    client.send(HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(QUESTION))
    assert client.head().startswith(b"HTTP/1.1 100")
    client.send(QUESTION)
    assert client.head().startswith(b"HTTP/1.1 200")


def test_a_body_that_is_not_framed_as_it_says_is_refused(forge: Rig) -> None:
    upstream = forge.upstream(HOST)
    head, _ = forge.ask(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", HOST)
    assert head.startswith(b"HTTP/1.1 400")
    assert upstream.seen == b""


def test_a_client_that_leaves_half_way_leaves_nothing_at_the_host(forge: Rig) -> None:
    left = threading.Event()

    def handle(peer: Peer) -> None:
        peer.fill()
        left.set()

    upstream = forge.upstream(HOST, handle)
    client = forge.tunnel(HOST)
    client.send(request(QUESTION)[:-5])
    client.close()
    head, _ = forge.ask(request(CHANGE), HOST)
    assert head.startswith(b"HTTP/1.1 403")
    assert upstream.seen == b"" and not left.is_set()


def test_one_connection_carries_a_gated_request_and_an_ordinary_one_after_it(forge: Rig) -> None:
    forge.upstream(HOST)
    client = forge.tunnel(HOST)
    for wire in (
        request(QUESTION),
        b"GET /user HTTP/1.1\r\nHost: api.github.com\r\n\r\n",
        request(QUESTION, "chunked"),
    ):
        client.send(wire)
        head = client.head()
        assert head.startswith(b"HTTP/1.1 200")
        client.exactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
