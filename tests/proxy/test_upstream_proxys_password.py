"""An upstream proxy that repeats what it was sent, as Squid's error pages do, does not give our password for it away."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.proxy.peers import Peer, Upstream
from tests.proxy.rig import Rig, running

PASSWORD = "not-a-real-p@ss/word+0001"
BASIC = base64.b64encode(f"me:{PASSWORD}".encode())


def _echoing(peer: Peer) -> None:
    """Answers with all it was sent, in the ways such pages have it."""
    while True:
        head, _ = peer.message()
        body = b"<pre>%b</pre><a href='mailto:root?body=%b'>%b %b</a>" % (
            head,
            quote(head, safe="").encode(),
            PASSWORD.encode(),
            base64.b64encode(b"x" + head),
        )
        peer.send(
            b"HTTP/1.1 503 Service Unavailable\r\nX-Was: %b\r\nContent-Length: %d\r\n\r\n%b"
            % (head.split(b"\r\n")[1], len(body), body)
        )


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running(tmp_path) as made:
        yield made


def _through(rig: Rig, handler: object, password: str = PASSWORD) -> Upstream:
    through = Upstream(handler, None)  # type: ignore[arg-type]
    rig.upstreams.append(through)
    rig.configure(upstream_proxy=f"http://me:{quote(password, safe='')}@127.0.0.1:{through.port}")
    return through


@pytest.mark.parametrize("method", [b"GET", b"TRACE", b"POST"])
def test_an_error_page_does_not_show_it(rig: Rig, method: bytes) -> None:
    """Seen to fail when only hosts with a credential were looked at: all four forms came back."""
    through = _through(rig, _echoing)
    client = rig.connect()
    client.send(
        b"%b http://nowhere.invalid/ HTTP/1.1\r\nHost: nowhere.invalid\r\nMax-Forwards: 0\r\n"
        b"Content-Length: 0\r\n\r\n" % method
    )
    answer = b"".join(client.message())
    assert BASIC in through.seen, "it was sent the password"
    assert b"Service Unavailable" in answer
    for form in (BASIC, PASSWORD.encode(), quote(BASIC.decode(), safe="").encode()):
        assert form not in answer
    assert base64.b64encode(b"abc" + BASIC)[4:60] not in answer


def test_no_part_of_such_a_page_and_no_coding_is_asked_for(rig: Rig) -> None:
    """Seen to fail when such requests passed as they came."""
    through = _through(rig, _echoing)
    client = rig.connect()
    client.send(
        b"GET http://nowhere.invalid/ HTTP/1.1\r\nHost: nowhere.invalid\r\nRange: bytes=0-9\r\n"
        b"Accept-Encoding: gzip\r\n\r\n"
    )
    client.message()
    assert b"bytes=0-9" not in through.seen and b"Accept-Encoding: identity" in through.seen


@pytest.mark.parametrize("password", ["short", "påsswört-not-real"])
def test_one_that_is_short_or_not_ascii_is_masked_as_it_is_sent(rig: Rig, password: str) -> None:
    def handle(peer: Peer) -> None:
        head, _ = peer.message()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(head), head))

    _through(rig, handle, password)
    client = rig.connect()
    client.send(b"GET http://nowhere.invalid/ HTTP/1.1\r\nHost: nowhere.invalid\r\n\r\n")
    _, body = client.message()
    assert b"Proxy-Authorization: Basic ***" in body
    assert base64.b64encode(f"me:{password}".encode()) not in body


@pytest.mark.parametrize("passthrough", [(), ("api.test",)])
def test_the_reason_for_no_tunnel_is_not_passed_on(tmp_path: Path, passthrough: tuple[str, ...]) -> None:
    """Seen to fail when the proxy's own words were part of our answer."""

    def refuse(peer: Peer) -> None:
        head = peer.head()
        peer.send(b"HTTP/1.1 403 no, said %b\r\n\r\n" % head.split(b"Basic ")[1].split(b"\r\n")[0])

    with running(tmp_path, passthrough=passthrough) as made:
        through = _through(made, refuse)
        client = made.connect()
        client.send(b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n")
        if passthrough:
            answer = client.rest()
        else:
            answer = b"".join(made.ask(b"GET / HTTP/1.1\r\nHost: api.test\r\n\r\n"))
        assert b"refused the tunnel with 403" in answer
        assert BASIC in through.seen and BASIC not in answer


def test_what_needs_no_password_passes_as_it_came(rig: Rig) -> None:
    """Parts of packages, which apt asks for over plain HTTP, among it."""
    answer = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/9\r\nContent-Length: 2\r\n\r\nab"

    def handle(peer: Peer) -> None:
        peer.message()
        peer.send(answer)

    through = Upstream(handle, None)
    rig.upstreams.append(through)
    rig.configure(upstream_proxy=f"http://127.0.0.1:{through.port}")
    client = rig.connect()
    client.send(b"GET http://deb.invalid/x HTTP/1.1\r\nHost: deb.invalid\r\nRange: bytes=0-1\r\n\r\n")
    assert b"".join(client.message()) == answer
    assert b"Range: bytes=0-1" in through.seen
