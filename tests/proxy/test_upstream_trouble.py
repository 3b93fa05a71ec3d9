"""Upstreams that fail in every way: the client learns why, the audit too, and nothing is asked twice unless it may be."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading
from pathlib import Path

import pytest
import trustme

from clauderon.proxy.dataplane import timeouts
from clauderon.proxy.net import dial, resolver
from tests.proxy.rig import OK, Handler, Peer, Rig, Upstream, answering, running

GET = b"GET / HTTP/1.1\r\nHost: api.test\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 2\r\n\r\nhi"


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def test_a_name_that_does_not_exist(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(rig.plane.shared.dialler.resolver, "getaddrinfo", getaddrinfo)
    head, body = rig.ask(GET)
    assert head.startswith(b"HTTP/1.1 502 ")
    assert b"the name api.test cannot be resolved: name or service not known" in body
    assert rig.audited()[0].error == "upstream-dns"


def test_names_that_are_slow_to_resolve_hold_up_nobody_else(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream = rig.upstream()
    rig.configure(connect_to={"api.test:443": f"fast.test:{upstream.port}"})
    asked, running, most = [], [0], [0]
    answer = threading.Event()

    def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        if host.startswith("slow"):
            running[0] += 1
            most[0] = max(most[0], running[0])
            answer.wait(30)
            running[0] -= 1
            raise socket.gaierror(-3, "Temporary failure in name resolution")
        return [(socket.AF_INET, 1, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(rig.plane.shared.dialler.resolver, "getaddrinfo", getaddrinfo)
    clients = []
    for number in range(resolver.SHARE * 3):
        client = rig.tunnel(f"slow{number}.test", name="greedy")
        client.send(b"GET / HTTP/1.1\r\nHost: slow%d.test\r\n\r\n" % number)
        clients.append(client)
    rig.wait(lambda: len(asked) == resolver.SHARE)
    assert rig.ask(GET, name="one")[1] == b"ok"
    clients[0].close()  # whoever gives up does not make room for another slow one
    answer.set()
    for client in clients[1:]:
        assert client.message()[0].startswith(b"HTTP/1.1 502 ")
    assert most[0] == resolver.SHARE
    assert len(asked) == len(clients) + 1


def test_a_name_is_asked_for_once_at_a_time(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    upstream = rig.upstream()
    rig.configure(connect_to={"api.test:443": f"one.test:{upstream.port}"})
    asked = []
    answer = threading.Event()

    def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        answer.wait(30)
        return [(socket.AF_INET, 1, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(rig.plane.shared.dialler.resolver, "getaddrinfo", getaddrinfo)
    clients = [rig.tunnel() for _ in range(20)]
    for client in clients:
        client.send(GET)
    rig.wait(lambda: len(rig.plane.sessions["one"].clients) == 20 and bool(asked))
    clients.pop(0).close()  # the one that asked leaves, and the others are answered all the same
    rig.wait(lambda: bool(rig.records.all))
    answer.set()
    for client in clients:
        assert client.message()[1] == b"ok"
    assert asked == ["one.test"]


def test_a_name_nobody_answers_for_is_given_up(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "LOOK_UP_S", 0.05)
    answer = threading.Event()
    monkeypatch.setattr(
        rig.plane.shared.dialler.resolver, "getaddrinfo", lambda *_, **__: answer.wait(30) and []
    )
    head, body = rig.ask(GET)
    answer.set()
    assert head.startswith(b"HTTP/1.1 504 ")
    assert b"the name api.test was not resolved in time" in body


def test_a_port_nobody_listens_on(rig: Rig) -> None:
    rig.configure(connect_to={"api.test:443": f"127.0.0.1:{_closed_port()}"})
    head, body = rig.ask(GET)
    assert head.startswith(b"HTTP/1.1 502 ")
    assert b"connecting to api.test failed: connection refused" in body
    assert rig.audited()[0].error == "upstream-connect"


def test_the_next_address_is_tried(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    upstream = rig.upstream()
    refused = _closed_port()

    def getaddrinfo(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, 1, 6, "", ("127.0.0.1", port)) for port in (refused, upstream.port)]

    monkeypatch.setattr(rig.plane.shared.dialler.resolver, "getaddrinfo", getaddrinfo)
    rig.configure(connect_to={"api.test:443": "somewhere.test:443"})
    assert rig.ask(GET)[1] == b"ok"


def test_a_connection_nobody_accepts(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dial, "CONNECT_S", 0.05)

    async def sock_connect(*_: object) -> None:
        await never.wait()

    never = rig.call(_event)
    monkeypatch.setattr(rig.plane.shared.dialler, "sock_connect", sock_connect)
    rig.upstream()
    head, body = rig.ask(GET)
    assert head.startswith(b"HTTP/1.1 504 ")
    assert b"did not accept a connection in time" in body


def _event():  # type: ignore[no-untyped-def]
    import asyncio

    return asyncio.Event()


def test_a_handshake_that_stalls(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dial, "TLS_S", 0.05)
    rig.upstream(handler=lambda peer: _read_all(peer), tls=False, port=443)
    head, body = rig.ask(GET)
    assert head.startswith(b"HTTP/1.1 504 ")
    assert b"did not complete the TLS handshake" in body


def _read_all(peer: Peer) -> None:
    peer.rest()


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("tls", [True, False])
def test_a_connection_closed_without_an_answer(rig: Rig, how: str, tls: bool) -> None:
    def handle(peer: Peer) -> None:
        peer.message()
        if how == "reset":
            peer.reset()

    rig.upstream(handler=handle, tls=tls)
    if tls:
        head, body = rig.ask(GET)
    else:
        client = rig.connect()
        client.send(b"GET http://api.test/ HTTP/1.1\r\nHost: api.test\r\n\r\n")
        head, body = client.message()
    assert head.startswith(b"HTTP/1.1 502 ")
    assert b"api.test closed the connection without an answer" in body
    assert rig.audited()[0].error == "upstream-reset"


def test_a_connection_closed_inside_the_head(rig: Rig) -> None:
    def handle(peer: Peer) -> None:
        peer.message()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Le")

    rig.upstream(handler=handle)
    head, body = rig.ask(GET)
    assert head.startswith(b"HTTP/1.1 502 ")
    assert b"inside its response's head" in body


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nonly this",
    ],
)
def test_a_response_that_is_cut_is_cut_for_the_client_too(rig: Rig, response: bytes) -> None:
    def handle(peer: Peer) -> None:
        peer.message()
        peer.send(response)

    rig.upstream(handler=handle)
    client = rig.tunnel()
    client.send(GET)
    got = client.rest()
    assert got and response.startswith(got)
    record = rig.audited()[0]
    assert record.status == 200
    assert record.error in ("upstream-reset", "upstream-framing")


def test_a_response_that_turns_into_nonsense_is_cut(rig: Rig) -> None:
    come = threading.Event()

    def handle(peer: Peer) -> None:
        peer.message()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n")
        come.wait(30)
        peer.send(b"zz\r\nbad")

    rig.upstream(handler=handle)
    client = rig.tunnel()
    client.send(GET)
    client.until(b"good\r\n")
    come.set()
    assert client.rest() == b""
    assert rig.audited()[0].error == "upstream-framing"


def test_a_response_until_close_without_a_goodbye_gets_none_on_our_side(rig: Rig) -> None:
    def handle(peer: Peer) -> None:
        peer.message()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nperhaps all")
        peer.sock.shutdown(socket.SHUT_RDWR)

    rig.upstream(handler=handle)
    client = rig.tunnel()
    client.sock.suppress_ragged_eofs = False
    client.send(GET)
    assert client.until(b"perhaps all")
    with pytest.raises(ssl.SSLEOFError):
        client.sock.recv(1)


def _dies_after(requests: int, times: int) -> Handler:
    """Serve some requests, then take one more and close without an answer; the first `times` connections."""
    served: list[int] = []

    def handle(peer: Peer) -> None:
        served.append(1)
        mortal = len(served) <= times
        for _ in range(requests if mortal else 100):
            peer.message()
            peer.send(OK)
        peer.message()

    return handle


def test_a_safe_request_on_a_dead_pooled_connection_is_asked_once_more(rig: Rig) -> None:
    upstream = rig.upstream(handler=_dies_after(1, 1))
    client = rig.tunnel()
    for _ in range(2):
        client.send(GET)
        assert client.message()[1] == b"ok"
    assert len(upstream.peers) == 2
    assert [record.error for record in rig.audited(2)] == [None, None]


def test_it_is_asked_once_more_and_not_twice(rig: Rig) -> None:
    upstream = rig.upstream(handler=_dies_after(1, 1))
    client = rig.tunnel()
    client.send(GET)
    client.message()
    upstream.handler = lambda peer: peer.message() and None
    client.send(GET)
    assert client.message()[0].startswith(b"HTTP/1.1 502 ")
    assert len(upstream.peers) == 2


def test_an_unsafe_request_is_never_asked_twice(rig: Rig) -> None:
    upstream = rig.upstream(handler=_dies_after(1, 1))
    client = rig.tunnel()
    client.send(GET)
    client.message()
    client.send(POST)
    assert client.message()[0].startswith(b"HTTP/1.1 502 ")
    assert upstream.seen.count(POST) == 1


def test_a_connection_closed_while_idle_is_not_used(rig: Rig) -> None:
    upstream = rig.upstream(handler=answering(OK, requests=1))
    client = rig.tunnel()
    for _ in range(3):
        client.send(POST)
        assert client.message()[1] == b"ok"
        rig.wait(lambda: rig.call(lambda: rig.plane.pool.size) == 0)
    assert len(upstream.peers) == 3


def test_an_upstream_that_stalls_is_given_up(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeouts, "STALL_TICKS", 1)
    release = threading.Event()

    def handle(peer: Peer) -> None:
        peer.message()
        release.wait(30)

    rig.upstream(handler=handle)
    head, body = rig.ask(GET)
    release.set()
    assert head.startswith(b"HTTP/1.1 504 ")
    assert b"api.test sent nothing for" in body
    assert rig.audited()[0].error == "upstream-stalled"


def test_an_upstream_that_reads_slowly_holds_the_client_back(rig: Rig) -> None:
    release = threading.Event()

    def handle(peer: Peer) -> None:
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        peer.head()
        release.wait(30)
        left = (48 << 20) - len(peer.buffer)
        while left:
            left -= len(peer.sock.recv(min(left, 1 << 20)))
        peer.send(OK)

    rig.upstream(handler=handle)
    client = rig.tunnel()
    client.send(b"POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: %d\r\n\r\n" % (48 << 20))
    sent = [0]

    def send() -> None:
        while sent[0] < 48 << 20:
            client.send(b"x" * 65536)
            sent[0] += 65536

    sender = threading.Thread(target=send)
    sender.start()
    before = -1
    while before != sent[0]:
        before = sent[0]
        threading.Event().wait(0.5)
    assert before < 32 << 20
    release.set()
    sender.join()
    assert client.message()[1] == b"ok"


def test_an_upstream_that_hangs_up_during_the_upload(rig: Rig) -> None:
    def handle(peer: Peer) -> None:
        peer.head()
        peer.reset()

    rig.upstream(handler=handle)
    client = rig.tunnel()
    client.send(b"POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000)
    assert client.message()[0].startswith(b"HTTP/1.1 502 ")
    assert client.at_end()


def test_what_follows_an_early_answer_is_nobodys(rig: Rig) -> None:
    """An upstream that answers a request twice, the second time while the client is still sending it."""
    go = threading.Event()

    def handle(peer: Peer) -> None:
        peer.head()
        peer.send(OK)
        assert go.wait(30)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON")
        peer.rest()

    upstream = rig.upstream(handler=handle)
    client = rig.tunnel()
    client.send(b"POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 4\r\n\r\n")
    assert client.message()[1] == b"ok"
    go.set()
    assert client.rest() == b""
    rig.wait(lambda: not rig.call(lambda: set(rig.plane.pool.wires)))
    assert [record.status for record in rig.audited()] == [200]
    assert len(upstream.peers) == 1


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
            "HTTPS_PROXY": f"http://127.0.0.1:{_closed_port()}",
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


def test_guarded_addresses_stay_guarded_behind_an_upstream_proxy(tmp_path: Path) -> None:
    with running(tmp_path) as rig:
        through = Upstream(answering(OK), None)
        rig.upstreams.append(through)
        rig.configure(upstream_proxy=f"http://127.0.0.1:{through.port}")
        hosts = (
            "localhost",
            "a.localhost",
            "ip6-localhost",
            "metadata.google.internal",
            "host.docker.internal",
        )
        for host in (*hosts, "127.0.0.1", "169.254.169.254"):
            client = rig.connect()
            client.send(f"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert client.message()[0].startswith(b"HTTP/1.1 403 "), host
        assert through.seen == b""


def _resolving(rig: Rig, monkeypatch: pytest.MonkeyPatch, table: dict[str, list[str]]) -> None:
    """Let names resolve as in the table; the others cannot be resolved."""

    def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        if host not in table:
            raise socket.gaierror(-2, "Name or service not known")
        return [(socket.AF_INET, 1, 6, "", (address, port)) for address in table[host]]

    monkeypatch.setattr(rig.plane.shared.dialler.resolver, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize("passthrough", [(), ("inner.test",)])
def test_a_name_of_guarded_addresses_alone_is_guarded_behind_an_upstream_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, passthrough: tuple[str, ...]
) -> None:
    with running(tmp_path, passthrough=passthrough) as rig:
        through = Upstream(answering(OK), None)
        rig.upstreams.append(through)
        rig.configure(upstream_proxy=f"http://127.0.0.1:{through.port}")
        _resolving(rig, monkeypatch, {"inner.test": ["10.0.0.1", "169.254.169.254"]})
        client = rig.connect()
        client.send(b"GET http://inner.test/ HTTP/1.1\r\nHost: inner.test\r\n\r\n")
        head, body = client.message()
        assert head.startswith(b"HTTP/1.1 403 ") and b"inner.test resolves to an address" in body
        if passthrough:
            client = rig.connect()
            client.send(b"CONNECT inner.test:443 HTTP/1.1\r\nHost: inner.test:443\r\n\r\n")
            assert client.head().startswith(b"HTTP/1.1 403 ")
        else:
            head, _ = rig.ask(b"GET / HTTP/1.1\r\nHost: inner.test\r\n\r\n", "inner.test")
            assert head.startswith(b"HTTP/1.1 403 ")
        assert {record.rule for record in rig.audited(2)} == {"address-guard"}
        assert through.seen == b""


def test_an_upstream_proxy_is_asked_for_names_that_only_it_can_resolve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dial, "GLANCE_S", 0.05)
    with running(tmp_path) as rig:
        through = Upstream(answering(OK), None)
        rig.upstreams.append(through)
        rig.configure(upstream_proxy=f"http://127.0.0.1:{through.port}")
        _resolving(rig, monkeypatch, {"public.test": ["10.0.0.1", "93.184.216.34"]})
        known, answer = rig.plane.shared.dialler.resolver.getaddrinfo, threading.Event()
        asked = []

        def getaddrinfo(host: str, port: int, **more: object) -> list[tuple[object, ...]]:
            asked.append(host)
            if host == "slow.test":
                answer.wait(30)
            return known(host, port, **more)

        monkeypatch.setattr(rig.plane.shared.dialler.resolver, "getaddrinfo", getaddrinfo)
        for host in (b"public.test", b"unknown.test", b"slow.test", b"slow.test"):
            client = rig.connect()
            client.send(b"GET http://%b/ HTTP/1.0\r\n\r\n" % host)
            assert client.message()[1] == b"ok"
        answer.set()
        assert asked == ["public.test", "unknown.test", "slow.test"], (
            "what was not answered is not waited for again"
        )


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


def test_tls_sessions_are_resumed_towards_the_upstream(rig: Rig) -> None:
    resumed: list[bool] = []

    def handle(peer: Peer) -> None:
        resumed.append(peer.sock.session_reused)
        answering(OK, requests=2)(peer)

    rig.upstream(handler=handle)
    for _ in range(4):
        client = rig.tunnel()
        for _ in range(2):
            client.send(GET)
            assert client.message()[1] == b"ok"
        rig.wait(lambda: rig.call(lambda: rig.plane.pool.size) == 0)
    # Of a place that is visited once nothing is kept.
    assert resumed == [False, False, True, True]


class Forgetful(Upstream):
    """Ends a handshake that offers a session with an alert, where it should begin a new one."""

    refused = 0

    def _serve(self, sock: socket.socket) -> None:
        hello = b""
        while len(hello) < 5 or len(hello) < 5 + int.from_bytes(hello[3:5]):
            hello = sock.recv(1 << 14, socket.MSG_PEEK)
        # The last extension, if there is one, is `pre_shared_key`.
        places = [at for at in range(len(hello) - 4) if hello[at : at + 2] == b"\0\x29"]
        if any(at + 4 + int.from_bytes(hello[at + 2 : at + 4]) == len(hello) for at in places):
            self.refused += 1
            sock.recv(len(hello))
            sock.sendall(b"\x15\x03\x03\x00\x02\x02\x28")
            sock.close()
        else:
            super()._serve(sock)


def test_a_tls_session_the_upstream_refuses_is_offered_once(rig: Rig) -> None:
    upstream = Forgetful(answering(OK, requests=1), rig.server_context("api.test"))
    rig.upstreams.append(upstream)
    rig.configure(connect_to={"api.test:443": f"127.0.0.1:{upstream.port}"})
    for _ in range(6):
        assert rig.ask(POST)[1] == b"ok"
        rig.wait(lambda: rig.call(lambda: rig.plane.pool.size) == 0)
    assert upstream.refused == 1, "what is learned for the time being is that there is none"
    assert all(record.status == 200 for record in rig.audited(6))


def test_an_upstream_that_refuses_every_handshake_is_given_up_after_the_session(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream = Forgetful(answering(OK, requests=1), rig.server_context("api.test"))
    rig.upstreams.append(upstream)
    rig.configure(connect_to={"api.test:443": f"127.0.0.1:{upstream.port}"})
    for _ in range(2):
        assert rig.ask(GET)[1] == b"ok"
        rig.wait(lambda: rig.call(lambda: rig.plane.pool.size) == 0)
    monkeypatch.setattr(Upstream, "_serve", lambda _, sock: sock.close())
    head, body = rig.ask(GET)
    assert head.startswith(b"HTTP/1.1 502 ")
    assert b"TLS with api.test failed" in body
    assert upstream.refused == 1


def test_tls_sessions_are_resumed_by_clients(rig: Rig) -> None:
    rig.upstream()
    context = rig.client_context()
    first = rig.tunnel(context=context)
    first.send(GET)
    first.message()
    session = first.sock.session
    plain = rig.connect()
    plain.send(b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n")
    plain.head()
    tls = context.wrap_socket(plain.sock, server_hostname="api.test", session=session)
    tls.sendall(GET)
    assert tls.recv(1000).endswith(b"ok")
    assert tls.session_reused
    tls.close()


class Hasty:
    """A server that speaks, or leaves, as soon as it has accepted, before it was asked anything."""

    def __init__(self, said: bytes, *, stays: bool) -> None:
        self.said, self.stays = said, stays
        self.kept: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                if self.said:
                    sock.sendall(self.said)
                if self.stays:
                    self.kept.append(sock)
                else:
                    sock.close()

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
        for sock in self.kept:
            sock.close()


BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
TIMES = 12  # whether it comes before or after we look is chance


@pytest.mark.parametrize(
    ("port", "said", "stays", "answer"),
    [
        (80, b"", False, b"HTTP/1.1 502 "),
        (80, BUSY, True, b"HTTP/1.1 503 Busy\r\n"),
        (80, BUSY, False, b"HTTP/1.1 503 Busy\r\n"),
        (443, b"", False, b"HTTP/1.1 502 "),
        (443, BUSY, True, b"HTTP/1.1 502 "),
    ],
)
def test_an_upstream_that_speaks_or_leaves_first_is_answered_for(
    rig: Rig, port: int, said: bytes, stays: bool, answer: bytes
) -> None:
    with contextlib.closing(Hasty(said, stays=stays)) as server:
        rig.configure(connect_to={f"api.test:{port}": server.address})
        rig.session()
        for _ in range(TIMES):
            client = rig.connect() if port == 80 else rig.tunnel()
            client.send(GET.replace(b"GET /", b"GET http://api.test/") if port == 80 else GET)
            assert client.head().startswith(answer)
            client.close()
        assert len(rig.audited(TIMES)) == TIMES


@pytest.mark.parametrize("stays", [True, False])
def test_a_server_that_speaks_first_is_heard_in_a_tunnel(rig: Rig, stays: bool) -> None:
    with contextlib.closing(Hasty(b"SSH-2.0-x\r\n", stays=stays)) as server:
        rig.configure(connect_to={"api.test:22": server.address}, passthrough=("api.test",))
        rig.session()
        for _ in range(TIMES):
            client = rig.connect()
            client.send(b"CONNECT api.test:22 HTTP/1.1\r\nHost: api.test:22\r\n\r\n")
            assert client.head().startswith(b"HTTP/1.1 200 ")
            assert client.exactly(11) == b"SSH-2.0-x\r\n"
            assert stays or client.at_end()
            client.close()


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


def test_a_pool_forgets_the_hosts_it_has_no_connection_to(rig: Rig) -> None:
    answers = iter([OK, b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"])

    def handle(peer: Peer) -> None:
        for answer in answers:
            peer.head()
            peer.send(answer)

    rig.upstream(handler=handle)
    client = rig.tunnel()
    for _ in range(2):
        client.send(GET)
        client.message()
    rig.wait(lambda: rig.plane.pool.size == 0)
    assert rig.call(lambda: dict(rig.plane.pool.idle)) == {}
