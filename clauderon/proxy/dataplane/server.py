"""The data plane as the worker sees it: listeners, sessions, the sweep, and an orderly end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable, Mapping

from clauderon.config.schema import Proxy
from clauderon.proxy.dataplane.client import Client
from clauderon.proxy.dataplane.session import MAIN, Audit, Counters, Credentials, Leaves, Session, Shared
from clauderon.proxy.http.request import request_table
from clauderon.proxy.net.dial import Dialler
from clauderon.proxy.net.pool import Pool
from clauderon.proxy.net.routes import Routes
from clauderon.proxy.policy.addresses import canonical_address
from clauderon.proxy.policy.session import SessionPolicy
from clauderon.proxy.usage.meter import Meter

BACKLOG = 1024
SWEEP_S = 1.0


class DataPlane:
    """The whole of it. Make it on the running loop, and call it on that loop's thread. Raises UsageError.

    Sockets are bound and listening already (the supervisor holds them across workers); the data plane takes them
    over and closes its own duplicate.
    """

    def __init__(
        self,
        *,
        leaves: Leaves,
        credentials: Credentials,
        audit: Audit,
        settings: Proxy,
        environ: Mapping[str, str],
        meter: Meter | None = None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.environ = environ
        self.routes = Routes(settings, environ)
        self.pool = Pool(self.loop)
        self.sessions: dict[str, Session] = {}
        self.gone = Counters()  # the totals of those that were closed
        self._servers: dict[str, list[asyncio.Server]] = {}
        self._own: set[tuple[str, int]] = set()
        dialler = Dialler(self.loop, self.routes, self.pool, self._is_own)
        headers = credentials.headers
        table = request_table(headers)
        self.shared = Shared(leaves, credentials, audit, self.pool, dialler, headers, table, dict, meter)
        self._sweeper = self.loop.call_later(SWEEP_S, self._sweep)

    @property
    def counters(self) -> Mapping[str, Counters]:
        """By session id; the main port's under `main`."""
        return {name: session.counters for name, session in self.sessions.items()}

    async def listen_session(self, policy: SessionPolicy, sockets: Iterable[socket.socket]) -> None:
        """Serve one session on these sockets; once more for a session adds sockets to it."""
        session = self.sessions.get(policy.id)
        if session is None:
            session = Session(policy, self.routes.targets, self.shared)
        else:
            session.swap(policy, self.routes.targets)  # it gains a gateway; connections and totals stay
        await self._listen(policy.id, session, sockets)

    async def listen_main(
        self, sockets: Iterable[socket.socket], health: Callable[[], Mapping[str, object]]
    ) -> None:
        """Serve the main port: the health document, and a plain tunnel for loopback callers. Again adds sockets."""
        self.shared.health = health
        policy = SessionPolicy(MAIN, MAIN, 0, None, "read-write", None, ())
        session = self.sessions.get(MAIN) or Session(policy, self.routes.targets, self.shared, main=True)
        sockets = list(sockets)
        self.shared.main_port = sockets[0].getsockname()[1] if sockets else 0
        await self._listen(MAIN, session, sockets)

    async def _listen(self, name: str, session: Session, sockets: Iterable[socket.socket]) -> None:
        self.sessions[name] = session
        servers = self._servers.setdefault(name, [])
        for sock in sockets:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            address = sock.getsockname()
            self._own.add((canonical_address(address[0]), address[1]))
            servers.append(
                await self.loop.create_server(lambda: Client(self.loop, session), sock=sock, backlog=BACKLOG)
            )

    def _is_own(self, address: str, port: int) -> bool:
        return (address, port) in self._own or ("0.0.0.0", port) in self._own or ("::", port) in self._own

    def update_policy(self, policy: SessionPolicy) -> None:
        """Swap a live session's rights; the next request sees them, inside open tunnels too."""
        self.sessions[policy.id].swap(policy, self.routes.targets)

    def update_credentials(self) -> None:
        """The table behind `credentials` changed: other headers may be a client's credentials now."""
        self.shared.table = request_table(self.shared.credentials.headers)

    def update_settings(self, settings: Proxy) -> None:
        """Swap connect_to, passthrough, upstream_ca and upstream_proxy; pooled connections are dropped."""
        self.routes = self.shared.dialler.routes = Routes(settings, self.environ, self.routes)
        self.pool.clear()
        for session in self.sessions.values():
            session.swap(session.policy, self.routes.targets)

    async def close_session(self, session_id: str) -> None:
        """Stop listening for the session and drop its connections."""
        session = self.sessions.pop(session_id, None)
        for server in self._servers.pop(session_id, []):
            for sock in server.sockets:
                address = sock.getsockname()
                self._own.discard((canonical_address(address[0]), address[1]))
            server.close()
        if session is not None:
            session.draining = True
            for client in list(session.clients):
                client.drop()
            self.gone.add(session.counters)
            self.pool.clear(session_id)

    async def drain(self, timeout: float) -> None:
        """Stop accepting, let requests in flight finish for `timeout` seconds, then close everything."""
        for servers in self._servers.values():
            for server in servers:
                server.close()
        deadline = self.loop.time() + timeout
        for session in self.sessions.values():
            session.draining = True
            for client in list(session.clients):
                if client.idle:
                    client.close()
        while any(s.clients for s in self.sessions.values()) and self.loop.time() < deadline:
            await asyncio.sleep(0.02)
        for name in list(self.sessions):
            await self.close_session(name)
        self.pool.clear()
        self._sweeper.cancel()

    # Every deadline is a count of sweeps: nothing is scheduled per request.

    def _sweep(self) -> None:
        self._sweeper = self.loop.call_later(SWEEP_S, self._sweep)
        self.pool.sweep()
        for session in self.sessions.values():
            for client in list(session.clients):
                client.ticks += 1
                client.tick()
        for wire in list(self.pool.wires):
            wire.ticks += 1
            wire.tick()
