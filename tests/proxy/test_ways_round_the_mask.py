"""On a host that has a credential: no parts of an answer, and no connection that is not looked into, unless its table says."""

from __future__ import annotations

import pytest

from tests.proxy.peers import Peer
from tests.proxy.rig import CANARY, Rig

SECRET = CANARY.encode()
ECHO = b"you sent " + SECRET
UPGRADE = b"GET /ws HTTP/1.1\r\nHost: api.test\r\nConnection: Upgrade\r\nUpgrade: %b\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x02hi"


def _ranges(peer: Peer) -> None:
    """A host that repeats the credential, and answers with a part of that if it is asked for one."""
    while True:
        head, _ = peer.message()
        if b"range: bytes=0-19" in head.lower().replace(b"_", b"-"):
            part = ECHO[:20]
            peer.send(
                b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-19/40\r\nContent-Length: %d\r\n\r\n%b"
                % (len(part), part)
            )
        else:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(ECHO), ECHO))


@pytest.mark.parametrize(
    "name", [b"Range", b"range", b"Request-Range", b"request_range", b"X-Ms-Range", b"x_ms_range"]
)
@pytest.mark.parametrize("model_api", [False, True])
def test_a_part_of_an_echo_is_not_asked_for(rig: Rig, name: bytes, model_api: bool) -> None:
    """Seen to fail when the field passed: eleven bytes of the secret came back."""
    upstream = rig.upstream(handler=_ranges)
    rig.grants.add("api.test", model_api=model_api)
    request = b'GET / HTTP/1.1\r\nHost: api.test\r\n%b: bytes=0-19\r\nIf-Range: "x"\r\n\r\n' % name
    head, body = rig.ask(request)
    assert head.startswith(b"HTTP/1.1 200 ")
    assert body == b"you sent " + b"*" * len(SECRET)
    assert b"range" not in upstream.seen.lower()


@pytest.mark.parametrize(
    ("status", "field"),
    [
        (b"206 Partial Content", b"Content-Range: bytes 0-1/40"),
        (b"206 Partial Content", b"X: y"),
        (b"226 IM Used", b"IM: diffe"),
        (b"200 OK", b"Content-Range: bytes 0-1/40"),
        (b"200 OK", b'Content-Type: Multipart/ByteRanges; boundary="x"'),
    ],
)
def test_a_part_of_an_answer_does_not_pass_however_it_was_asked_for(
    rig: Rig, status: bytes, field: bytes
) -> None:
    """S3 answers `?partNumber=1` with 206. Seen to fail when such an answer passed."""
    answer = b"HTTP/1.1 %b\r\n%b\r\nContent-Length: 2\r\n\r\nsk" % (status, field)
    rig.upstream(handler=answer)
    rig.upstream("other.test", answer)
    rig.grants.add("api.test")
    head, body = rig.ask(b"GET /?partNumber=1 HTTP/1.1\r\nHost: api.test\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 502 ") and b"a part of its answer that was not asked for" in body
    assert rig.audited()[0].rule == "partial"
    request = b"GET / HTTP/1.1\r\nHost: other.test\r\nRange: bytes=0-1\r\n\r\n"
    assert b"".join(rig.ask(request, "other.test")) == answer


@pytest.mark.parametrize(
    "name", [b"A-IM", b"Accept-Charset", b"Want-Digest", b"want_repr_digest", b"Want-Content-Digest"]
)
def test_no_other_text_than_the_answers_is_asked_for(rig: Rig, name: bytes) -> None:
    """A difference, UTF-16, a checksum of few bits. Seen to fail when these fields passed."""
    upstream = rig.upstream()
    rig.grants.add("api.test")
    rig.ask(b"GET / HTTP/1.1\r\nHost: api.test\r\n%b: x\r\n\r\n" % name)
    assert name.lower() + b":" not in upstream.seen.lower()


def test_a_part_is_not_asked_for_in_a_trailer(rig: Rig) -> None:
    """Some servers make fields of trailers. Seen to fail when the trailer passed."""
    rig.upstream(handler=_ranges)
    rig.grants.add("api.test")
    wire = b"GET / HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nRange: bytes=0-19\r\n\r\n"
    assert rig.ask(wire)[0].startswith(b"HTTP/1.1 400 ")


def test_what_says_how_long_the_whole_is_passes(rig: Rig) -> None:
    answer = b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */40\r\nContent-Length: 0\r\n\r\n"
    rig.upstream(handler=answer)
    rig.grants.add("api.test")
    assert rig.ask(b"GET / HTTP/1.1\r\nHost: api.test\r\n\r\n")[0] == answer


@pytest.mark.parametrize(
    ("wanted", "websocket", "passes"),
    [
        (b"websocket", True, True),
        (b"WebSocket", True, True),
        (b"websocket", False, False),
        (b"SPDY/3.1", True, False),
        (b"tcp", True, False),
        (b"tcp", False, False),
        (b"tcp, websocket", True, False),
    ],
)
@pytest.mark.parametrize("model_api", [False, True])
def test_an_upgrade_needs_a_table_that_says_so(
    rig: Rig, wanted: bytes, websocket: bool, passes: bool, model_api: bool
) -> None:
    """Frames are not looked into. Seen to fail when any upgrade of a session that may write passed."""
    upstream = rig.upstream(handler=SWITCHED)
    rig.grants.add("api.test", name="tracker", websocket=websocket, model_api=model_api)
    client = rig.tunnel()
    client.send(UPGRADE % wanted)
    head = client.head()
    if passes:
        assert head.startswith(b"HTTP/1.1 101 ")
        return
    assert head.startswith(b"HTTP/1.1 403 ") and b"X-Clauderon-Refusal: upgrade" in head
    assert upstream.seen == b""
    assert rig.audited()[0].rule == "upgrade"


def test_the_refusal_of_an_upgrade_says_what_to_write(rig: Rig) -> None:
    rig.grants.add("api.test", name="tracker")
    _, body = rig.ask(UPGRADE % b"websocket")
    assert b"hint: to let it pass: websocket = true in [credentials.tracker]" in body


def test_a_host_without_a_credential_upgrades_and_answers_in_parts(rig: Rig) -> None:
    rig.upstream(handler=SWITCHED)
    client = rig.tunnel()
    client.send(UPGRADE % b"tcp")
    assert client.head().startswith(b"HTTP/1.1 101 ")


def test_what_a_host_shows_of_a_secret_over_plain_http_is_masked_too(rig: Rig) -> None:
    """One request carries the secret, and the host keeps it; another, without it, has it shown.

    Seen to fail when only what was asked for over TLS was masked.
    """
    rig.upstream(tls=False, handler=b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(ECHO), ECHO))
    rig.grants.add("api.test")
    client = rig.connect()
    client.send(b"GET http://api.test/ HTTP/1.1\r\nHost: api.test\r\n\r\n")
    assert client.message()[1] == b"you sent " + b"*" * len(SECRET)
