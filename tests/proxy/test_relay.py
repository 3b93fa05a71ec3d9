"""What passes through the proxy arrives as it was sent, and nothing is waited for that need not be."""

from __future__ import annotations

from tests.proxy.rig import Peer, Rig

GET = b"GET /path?q=1 HTTP/1.1\r\nHost: api.test\r\nX-Odd:  two  spaces \r\n\r\n"


def test_a_request_and_its_response_pass_byte_for_byte(rig: Rig) -> None:
    upstream = rig.upstream(handler=b"HTTP/1.1 200 Fine\r\nX-CaSe:  kept \r\nContent-Length: 2\r\n\r\nok")
    head, body = rig.ask(GET)
    assert head == b"HTTP/1.1 200 Fine\r\nX-CaSe:  kept \r\nContent-Length: 2\r\n\r\n"
    assert body == b"ok"
    assert upstream.seen == GET
    record = rig.audited()[0]
    assert (record.host, record.method, record.path, record.status) == ("api.test", "GET", "/path", 200)


def test_connections_are_kept_alive_on_both_sides(rig: Rig) -> None:
    upstream = rig.upstream()
    client = rig.tunnel()
    for _ in range(5):
        client.send(GET)
        assert client.message()[1] == b"ok"
    assert upstream.seen == GET * 5
    assert len(upstream.peers) == 1
    assert rig.ask(GET)[1] == b"ok"
    assert len(upstream.peers) == 1


def test_pipelined_requests_are_answered_in_order(rig: Rig) -> None:
    def count(peer: Peer) -> None:
        while True:
            head, _ = peer.message()
            body = head.split(b" ")[1]
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    rig.upstream(handler=count)
    client = rig.tunnel()
    client.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: api.test\r\n\r\n" % n for n in range(300)))
    for n in range(300):
        assert client.message()[1] == b"/%d" % n


def test_a_credential_replaces_the_clients_own(rig: Rig) -> None:
    upstream = rig.upstream()
    rig.grants.add("api.test", b"x-api-key", "the-real-secret")
    rig.ask(
        b"GET / HTTP/1.1\r\nHost: api.test\r\nX-Api-Key: placeholder\r\nAccept: */*\r\n"
        b"authorization: Bearer mine\r\nX_API_KEY: sly\r\n\r\n"
    )
    assert upstream.seen == b"GET / HTTP/1.1\r\nHost: api.test\r\nx-api-key: the-real-secret\r\nAccept: */*\r\n\r\n"
    assert rig.audited()[0].credential == "anthropic"

