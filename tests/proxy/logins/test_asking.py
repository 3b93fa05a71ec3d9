"""Asking an issuer: over verified TLS, through an upstream proxy where there is one, and nothing is lost half-way."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from clauderon import tls
from clauderon.config.schema import Proxy
from clauderon.proxy.logins import asking
from clauderon.proxy.logins.asking import Unanswered, Unreachable
from clauderon.proxy.logins.client import Asking
from clauderon.proxy.logins.journal import is_whole
from clauderon.proxy.net.routes import Routes

ASKED = Asking(
    "issuer.test", "/oauth/token", "application/json", b'{"refresh_token": "not-a-real-token-0001"}'
)
Serve = Callable[[ssl.SSLSocket], None]


class Server:
    """An issuer that does as it is told, for one connection. proxied: it expects a CONNECT first."""

    def __init__(self, root: Path, name: str = "issuer.test") -> None:
        self.ca = trustme.CA()
        self.ca_file = root / "ca.pem"
        self.ca.cert_pem.write_to_path(str(self.ca_file))
        self.head = b""
        self._name = name
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    @contextlib.contextmanager
    def serving(self, serve: Serve, *, proxied: bytes = b"") -> Iterator[None]:
        context = tls.server_context()
        self.ca.issue_cert(self._name).configure_cert(context)

        def one() -> None:
            raw, _ = self._listener.accept()
            with raw, contextlib.suppress(OSError):
                raw.settimeout(30)
                if proxied:
                    while b"\r\n\r\n" not in self.head:
                        self.head += raw.recv(1)
                    raw.sendall(proxied)
                with context.wrap_socket(raw, server_side=True) as secured:
                    serve(secured)

        thread = threading.Thread(target=one)
        thread.start()
        try:
            yield
        finally:
            thread.join(30)
            self._listener.close()

    def routes(self, proxy: str = "", *, there: bool = True) -> Routes:
        there_ = {"issuer.test:443": f"127.0.0.1:{self.port}"} if there else {}
        return Routes(Proxy(upstream_ca=str(self.ca_file), connect_to=there_, upstream_proxy=proxy), {})


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def read(secured: ssl.SSLSocket) -> bytes:
    data = b""
    while not data.endswith(ASKED.body):
        data += secured.recv(65536)
    return data


def ask(routes: Routes) -> bytes:
    """The answer, as far as it came."""
    with contextlib.closing(asking.connected(ASKED, routes)) as line:
        line.send(line.written(ASKED))
        return line.answer(is_whole)


def test_the_request_is_one_and_the_answer_is_taken_to_its_end(server: Server) -> None:
    seen = []

    def serve(secured: ssl.SSLSocket) -> None:
        seen.append(read(secured))
        secured.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        secured.sendall(b"{}")

    with server.serving(serve):
        assert ask(server.routes()) == b"HTTP/1.1 200 OK\r\n\r\n{}"
    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /oauth/token HTTP/1.1\r\nHost: issuer.test\r\n")
    assert b"Content-Length: %d" % len(ASKED.body) in head and body == ASKED.body


def test_an_issuer_of_another_name_is_not_asked(tmp_path: Path) -> None:
    """The refresh token must not reach it. Seen to be sent with a context that verifies nothing."""
    server = Server(tmp_path, "other.test")
    seen: list[bytes] = []
    serving = server.serving(lambda secured: seen.append(read(secured)))
    with serving, pytest.raises(Unreachable, match=r"issuer\.test cannot be reached"):
        asking.connected(ASKED, server.routes())
    assert seen == []


def test_nobody_at_the_address_is_said_with_the_host_and_no_port_of_ours(server: Server) -> None:
    server._listener.close()
    with pytest.raises(Unreachable, match=r"issuer\.test cannot be reached: connection refused"):
        asking.connected(ASKED, server.routes())


def test_what_had_come_before_the_line_broke_is_an_answer(server: Server) -> None:
    """It may hold the only token that works from now on: the issuer has used the old one up."""

    def serve(secured: ssl.SSLSocket) -> None:
        read(secured)
        secured.sendall(b"HTTP/1.1 200 OK\r\n\r\n{")
        raw = secured.detach()
        socket.close(raw)

    with server.serving(serve):
        assert ask(server.routes()) == b"HTTP/1.1 200 OK\r\n\r\n{"


def test_an_issuer_that_says_nothing_was_asked_all_the_same(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "ANSWER_S", 0.2)
    over = threading.Event()

    def serve(secured: ssl.SSLSocket) -> None:
        read(secured)
        over.wait(30)

    with server.serving(serve):
        try:
            with pytest.raises(Unanswered, match=r"issuer\.test did not answer"):
                ask(server.routes())
        finally:
            over.set()


def test_a_large_answer_comes_whole(server: Server) -> None:
    """Seen to time out with the kernel's usual room for what nobody has taken."""
    body = b"x" * 100_000

    def serve(secured: ssl.SSLSocket) -> None:
        read(secured)
        secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    with server.serving(serve):
        assert ask(server.routes()).endswith(body)


def test_an_answer_without_end_is_given_up(server: Server) -> None:
    def serve(secured: ssl.SSLSocket) -> None:
        read(secured)
        for _ in range(32):
            secured.sendall(b"x" * 65536)

    with server.serving(serve), pytest.raises(Unanswered, match="answers without end"):
        ask(server.routes())


def test_an_answer_that_is_whole_is_not_waited_on_further(server: Server) -> None:
    """The issuer keeps the connection open."""
    over = threading.Event()

    def serve(secured: ssl.SSLSocket) -> None:
        read(secured)
        secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        over.wait(30)

    with server.serving(serve):
        try:
            assert ask(server.routes()).endswith(b"{}")
        finally:
            over.set()


@pytest.mark.parametrize("user", ["", "me:word@"])
def test_it_goes_through_the_upstream_proxy_and_tells_that_nothing_but_the_name(
    server: Server, user: str
) -> None:
    proxy = f"http://{user}127.0.0.1:{server.port}"

    def serve(secured: ssl.SSLSocket) -> None:
        read(secured)
        secured.sendall(b"HTTP/1.1 200 OK\r\n\r\n{}")

    with server.serving(serve, proxied=b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n"):
        assert ask(server.routes(proxy, there=False)).endswith(b"{}")
    assert server.head.startswith(b"CONNECT issuer.test:443 HTTP/1.1\r\nHost: issuer.test:443\r\n")
    assert (b"Proxy-Authorization: Basic " in server.head) == bool(user)
    assert b"not-a-real-token" not in server.head


@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 407 Authenticate\r\n\r\n", b"HTTP/1.1 2000 OK\r\n\r\n", b"SSH-2.0\r\n\r\n"]
)
def test_an_upstream_proxy_that_refuses_is_said_and_the_issuer_is_not_asked(
    server: Server, said: bytes
) -> None:
    serving = server.serving(lambda _secured: None, proxied=said)
    with serving, pytest.raises(Unreachable, match="the upstream proxy refused a tunnel"):
        asking.connected(ASKED, server.routes(f"http://127.0.0.1:{server.port}", there=False))


def test_who_comes_late_still_reads_what_has_come(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of two, after the first was killed. Seen to fail with the time looked at before the socket."""
    monkeypatch.setattr(asking, "ANSWER_S", 0.0)
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

    def serve(secured: ssl.SSLSocket) -> None:
        read(secured)
        secured.sendall(whole)

    with server.serving(serve), contextlib.closing(asking.connected(ASKED, server.routes())) as line:
        line.send(line.written(ASKED))
        time.sleep(0.5)
        assert line.answer(is_whole) == whole
