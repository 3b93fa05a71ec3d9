"""How upstreams are reached: through an upstream proxy or directly, and whom they are trusted by."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading
from pathlib import Path

import pytest
import trustme

from tests.proxy.peers import GET, OK, Handler, Peer, Upstream, answering, closed_port
from tests.proxy.rig import Rig, running

# Upstream proxies.


def _forwarding(rig: Rig, upstream: Upstream) -> Handler:
    """An HTTP proxy that tunnels every CONNECT to `upstream`."""

    def handle(peer: Peer) -> None:
        head = peer.head()
        if not head.startswith(b"CONNECT "):
            peer.send(OK)
            return
        peer.send(b"HTTP/1.1 200 Go ahead\r\nVia: it\r\n\r\n")
        with socket.create_connection(("127.0.0.1", upstream.port)) as other:
            back = threading.Thread(target=_copy, args=(other, peer.sock), daemon=True)
            back.start()
            other.sendall(peer.buffer)
            _copy(peer.sock, other)
            back.join(30)

    return handle


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@pytest.mark.parametrize("given", ["setting", "environment"])
def test_upstreams_are_reached_through_an_upstream_proxy(tmp_path: Path, given: str) -> None:
    with running(tmp_path) as rig:
        upstream = Upstream(answering(OK), rig.server_context("api.test"))
        through = Upstream(_forwarding(rig, upstream), None)
        rig.upstreams += [upstream, through]
        url = f"http://me:p%40ss@127.0.0.1:{through.port}"
        if given == "setting":
            rig.configure(upstream_proxy=url)
        else:
            rig.environ |= {"HTTPS_PROXY": url, "http_proxy": url}
            rig.configure()
        rig.grants.add("api.test")
        client = rig.tunnel()
        for _ in range(2):
            client.send(GET)
            assert client.message()[1] == b"ok"
        expected = b"Basic " + base64.b64encode(b"me:p@ss")
        assert through.seen.startswith(
            b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\nProxy-Authorization: %b\r\n\r\n"
            % expected
        )
        assert b"sk-ant" not in through.seen, "the credential travels inside TLS alone"
        assert b"sk-ant" in upstream.seen
        assert len(through.peers) == 1
        plain = rig.connect()
        plain.send(b"GET http://plain.test/a?b HTTP/1.1\r\nHost: plain.test\r\n\r\n")
        assert plain.message()[1] == b"ok"
        assert b"GET http://plain.test/a?b HTTP/1.1\r\nProxy-Authorization: %b\r\n" % expected in through.seen


def test_an_upstream_proxy_is_told_the_host_that_a_request_without_one_is_for(tmp_path: Path) -> None:
    with running(tmp_path) as rig:
        through = Upstream(answering(OK), None)
        rig.upstreams.append(through)
        rig.configure(upstream_proxy=f"http://127.0.0.1:{through.port}")
        for url in (b"http://plain.test/x", b"http://plain.test:8080/x"):
            client = rig.connect()
            client.send(b"GET %b HTTP/1.0\r\n\r\n" % url)
            assert client.message()[1] == b"ok"
            authority = url.split(b"/")[2]
            assert b"GET %b HTTP/1.0\r\nHost: %b\r\n\r\n" % (url, authority) in through.seen


def test_hosts_of_no_proxy_and_connect_to_go_direct(tmp_path: Path) -> None:
    with running(tmp_path) as rig:
        rig.environ |= {
            "HTTPS_PROXY": f"http://127.0.0.1:{closed_port()}",
            "NO_PROXY": "direct.test,.sub.test",
        }
        rig.upstream("api.test")
        assert rig.ask(GET)[1] == b"ok"
        for host in ("direct.test", "x.direct.test", "a.sub.test"):
            _, body = rig.ask(b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % host.encode(), host)
            assert b"cannot be resolved" in body or b"in time" in body, body
        _, body = rig.ask(b"GET / HTTP/1.1\r\nHost: other.test\r\n\r\n", "other.test")
        assert b"connecting to other.test failed: connection refused" in body


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", b"with 407: it wants a user"),
        (b"HTTP/1.1 503 No\r\n\r\n", b"it refused the tunnel with 503"),
        (b"SSH-2.0-x\r\n\r\n", b"not HTTP"),
        (b"HTTP/1.1 200 OK\r\n\r\nearly bytes", b"before the tunnel was used"),
        (b"", b"closed the connection"),
    ],
)
def test_an_upstream_proxy_that_refuses(tmp_path: Path, answer: bytes, words: bytes) -> None:
    def handle(peer: Peer) -> None:
        peer.head()
        peer.send(answer)

    with running(tmp_path) as rig:
        through = Upstream(handle, None)
        rig.upstreams.append(through)
        rig.configure(upstream_proxy=f"http://127.0.0.1:{through.port}")
        head, body = rig.ask(GET)
        assert head.startswith(b"HTTP/1.1 502 ")
        assert b"upstream proxy" in body and words in body
        assert rig.audited()[0].error == "upstream-proxy"


@pytest.mark.parametrize("passthrough", [(), ("api.test",)])
def test_a_client_that_leaves_while_an_upstream_proxy_is_silent_leaves_nothing(
    tmp_path: Path, passthrough: tuple[str, ...]
) -> None:
    with running(tmp_path, passthrough=passthrough) as rig:
        ended: list[bool] = []

        def handle(peer: Peer) -> None:
            # A client that left early enough leaves before the proxy has asked for its tunnel.
            with contextlib.suppress(AssertionError, OSError, EOFError):
                peer.head()
            ended.append(peer.at_end())

        through = Upstream(handle, None)
        rig.upstreams.append(through)
        rig.configure(upstream_proxy=f"http://127.0.0.1:{through.port}")
        for number in range(5):
            if passthrough:
                client = rig.connect()
                client.send(b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n")
            else:
                client = rig.tunnel()
                client.send(GET)
            rig.wait(lambda count=number + 1: len(through.peers) == count)  # type: ignore[misc]
            client.close()
        rig.wait(lambda: len(ended) == 5)
        rig.wait(lambda: not rig.call(lambda: set(rig.plane.pool.wires)))


def test_a_changed_upstream_ca_counts_at_once(rig: Rig, tmp_path: Path) -> None:
    other = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    other.issue_cert("api.test").configure_cert(context)
    rig.upstream(context=context)
    assert rig.ask(GET)[0].startswith(b"HTTP/1.1 502 ")
    file = tmp_path / "other.pem"
    other.cert_pem.write_to_path(str(file))
    rig.configure(upstream_ca=str(file))
    assert rig.ask(GET)[1] == b"ok"


def test_a_server_that_speaks_first_is_heard_behind_an_upstream_proxy(tmp_path: Path) -> None:
    def handle(peer: Peer) -> None:
        assert peer.head().startswith(b"CONNECT far.example:22 ")
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nSSH-2.0-x\r\n")
        peer.fill()

    with contextlib.closing(Upstream(handle, None)) as proxy:
        settings = {"passthrough": ("far.example",), "upstream_proxy": f"http://127.0.0.1:{proxy.port}"}
        with running(tmp_path, **settings) as rig:
            rig.session()
            client = rig.connect()
            client.send(b"CONNECT far.example:22 HTTP/1.1\r\nHost: far.example:22\r\n\r\n")
            assert client.head().startswith(b"HTTP/1.1 200 ")
            assert client.exactly(11) == b"SSH-2.0-x\r\n"
