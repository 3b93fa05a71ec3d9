"""A real data plane on loopback, upstreams that do as they are told, and clients that speak bytes.

The proxy runs on uvloop in a thread of its own, so tests are plain blocking code. Every wait has a generous deadline,
which only a hang can reach.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import trustme
import uvloop

from clauderon import tls as contexts
from clauderon.config.schema import Proxy
from clauderon.proxy.audit.record import AuditRecord
from clauderon.proxy.dataplane.server import DataPlane
from clauderon.proxy.http.needles import Needles
from clauderon.proxy.policy.grant import Grant
from clauderon.proxy.policy.session import SessionPolicy
from clauderon.proxy.secrets import grants
from tests.proxy.peers import DEADLINE_S, OK, Handler, Peer, Upstream, answering
from tests.proxy.tls_socket import TlsSocket

CANARY = "sk-ant-test-not-a-real-key-0001"


class Leaves:
    """Leaves of a test CA, one context a host."""

    def __init__(self) -> None:
        self.ca = trustme.CA()
        self._made: dict[str, ssl.SSLContext] = {}

    def server_context(self, host: str, *, apart: bool = False) -> ssl.SSLContext:
        if host not in self._made:
            context = contexts.server_context()
            self.ca.issue_cert(host).configure_cert(context)
            self._made[host] = context
        return self._made[host]


class Grants:
    """A credential table that tests fill in."""

    def __init__(self) -> None:
        self.table: dict[str, Grant] = {}
        self.real: grants.Grants | None = None  # in the place of `table`
        self.headers = grants.ALWAYS_REMOVED

    def add(self, host: str, header: bytes = b"x-api-key", value: str | None = CANARY, **more: Any) -> None:
        needles = Needles(value.rsplit(" ", 1)[-1]) if value else None
        self.table[host] = Grant(
            name=more.pop("name", "anthropic"),
            header=header,
            value=value.encode() if value else None,
            needles=needles,
            hint="set ANTHROPIC_API_KEY",
            **more,
        )

    def of(self, only: tuple[str, ...] | None, without: tuple[str, ...]) -> Any:
        if self.real is None or (only is None and not without):
            return self
        return self.real.of(only, without)

    def grant(self, host: str, port: int) -> Grant | None:
        return self.real.grant(host, port) if self.real is not None else self.table.get(host)


class Records:
    """An audit that keeps what it is given."""

    def __init__(self) -> None:
        self.all: list[AuditRecord] = []

    def write(self, record: AuditRecord) -> None:
        self.all.append(record)


class Rig:
    """The proxy under test with all that is around it."""

    def __init__(self, tmp_path: Path, settings: dict[str, Any] | None = None) -> None:
        self.leaves = Leaves()
        self.grants = Grants()
        self.records = Records()
        self.upstream_ca = trustme.CA()
        self.ca_file = tmp_path / "upstream-ca.pem"
        self.upstream_ca.cert_pem.write_to_path(str(self.ca_file))
        self.settings: dict[str, Any] = {
            "upstream_ca": str(self.ca_file),
            "connect_to": {},
            **(settings or {}),
        }
        self.environ: dict[str, str] = {}
        self.upstreams: list[Upstream] = []
        self.clients: list[Peer] = []
        self.problems: list[dict[str, Any]] = []
        self._ports: dict[str, int] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()
        self._thread.start()
        assert self._ready.wait(DEADLINE_S)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._main())

    async def _main(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.loop.set_exception_handler(lambda _, context: self.problems.append(context))
        self._end = asyncio.Event()
        self.plane = DataPlane(
            leaves=self.leaves,
            credentials=self.grants,
            audit=self.records,
            settings=Proxy(**self.settings),
            environ=self.environ,
        )
        self._ready.set()
        await self._end.wait()
        await self.plane.drain(0)
        await asyncio.sleep(0.01)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run on the proxy's loop and wait for the result."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(DEADLINE_S)

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        async def work() -> Any:
            return function(*args)

        return self.run(work())

    def configure(self, **settings: Any) -> None:
        self.settings.update(settings)
        self.call(self.plane.update_settings, Proxy(**self.settings))

    # What stands around the proxy.

    def server_context(self, *names: str) -> ssl.SSLContext:
        context = contexts.server_context()
        self.upstream_ca.issue_cert(*names).configure_cert(context)
        return context

    def upstream(
        self,
        name: str = "api.test",
        handler: Handler | bytes = OK,
        *,
        tls: bool = True,
        port: int | None = None,
        context: ssl.SSLContext | None = None,
    ) -> Upstream:
        """A server for `name`, reached through connect_to."""
        if isinstance(handler, bytes):
            handler = answering(handler)
        if tls and context is None:
            context = self.server_context(name)
        made = Upstream(handler, context)
        self.upstreams.append(made)
        key = f"{name}:{port or (443 if tls else 80)}"
        self.configure(connect_to={**self.settings["connect_to"], key: f"127.0.0.1:{made.port}"})
        return made

    def session(self, name: str = "one", **rights: Any) -> int:
        """A session's port."""
        sock = socket.create_server(("127.0.0.1", 0), backlog=256)
        port = int(sock.getsockname()[1])
        policy = self.policy(name, port=port, **rights)
        self.run(self.plane.listen_session(policy, [sock]))
        self._ports[name] = port
        return port

    def policy(self, name: str = "one", **rights: Any) -> SessionPolicy:
        given: dict[str, Any] = {
            "port": 0, "source": "127.0.0.1", "access_mode": "read-write", "allow": None, "deny": (), **rights
        }  # fmt: skip
        return SessionPolicy(id=name, name=name, **given)

    def main(self, health: dict[str, object] | None = None) -> int:
        sock = socket.create_server(("127.0.0.1", 0), backlog=256)
        port = int(sock.getsockname()[1])
        self.run(self.plane.listen_main([sock], lambda: health or {"status": "ok"}))
        return port

    def connect(self, name: str = "one", *, port: int | None = None, source: str | None = None) -> Peer:
        """A client's plain connection to a session's port, made if need be."""
        if port is None:
            port = self._ports.get(name) or self.session(name)
        bind = (source, 0) if source else None
        peer = Peer(socket.create_connection(("127.0.0.1", port), DEADLINE_S, source_address=bind))
        peer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.clients.append(peer)
        return peer

    def client_context(self) -> ssl.SSLContext:
        context = contexts.client_context()
        self.leaves.ca.configure_trust(context)
        return context

    def tunnel(
        self, host: str = "api.test", port: int = 443, *, name: str = "one", sni: str | None = None,
        context: ssl.SSLContext | None = None,
    ) -> Peer:  # fmt: skip
        """A client inside an intercepted tunnel, after the handshake."""
        plain = self.connect(name)
        plain.send(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        head = plain.head()
        assert head.startswith(b"HTTP/1.1 200"), head
        return self.secure(plain, sni or host, context=context)

    def secure(
        self,
        plain: Peer,
        name: str | None,
        *,
        context: ssl.SSLContext | None = None,
        session: ssl.SSLSession | None = None,
    ) -> Peer:
        """TLS over a client's plain connection, which must be a tunnel by now."""
        context = context or self.client_context()
        peer = Peer(TlsSocket(plain.sock, context, server_hostname=name, session=session, first=plain.buffer))
        self.clients.append(peer)
        return peer

    def ask(self, request: bytes, host: str = "api.test", **more: Any) -> tuple[bytes, bytes]:
        """One request in a tunnel of its own; the response's head and body."""
        peer = self.tunnel(host, **more)
        peer.send(request)
        answer = peer.message(bodiless=request.startswith(b"HEAD "))
        peer.close()
        return answer

    def audited(self, count: int = 1) -> list[AuditRecord]:
        """The audit, once it has at least `count` records."""
        self.wait(lambda: len(self.records.all) >= count)
        return list(self.records.all)

    def wait(self, done: Callable[[], bool]) -> None:
        end = time.monotonic() + DEADLINE_S
        while not done():
            if time.monotonic() > end:
                raise TimeoutError(self.records.all[-3:])
            time.sleep(0.002)

    def close(self) -> None:
        for peer in self.clients:
            with contextlib.suppress(OSError):
                peer.close()
        for upstream in self.upstreams:
            upstream.close()
        self.loop.call_soon_threadsafe(self._end.set)
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive(), "the proxy's loop did not end"
        assert not self.problems, self.problems
        errors = [error for upstream in self.upstreams for error in upstream.errors]
        assert not errors, errors


@contextlib.contextmanager
def running(tmp_path: Path, **settings: Any) -> Iterator[Rig]:
    rig = Rig(tmp_path, settings)
    try:
        yield rig
    finally:
        rig.close()


def connect_answer(rig: Rig, target: str, *, name: str = "one") -> tuple[bytes, bytes]:
    """The head that a CONNECT is answered with, and a refusal's body."""
    client = rig.connect(name)
    client.send(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    head = client.head()
    return head, b"" if head.startswith(b"HTTP/1.1 200 ") else client.rest()
