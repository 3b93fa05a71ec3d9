"""An upstream that is not trusted is never asked, and trust that was withdrawn holds at once."""

from __future__ import annotations

import ssl
import threading

import pytest
import trustme

from tests.proxy.peers import GET, OK, Peer, answering
from tests.proxy.rig import CANARY, Rig


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
