"""Tunnels that are not intercepted: hosts of `[proxy] passthrough`, and everything on the main port."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

from clauderon.proxy.dataplane.session import Session
from clauderon.proxy.dataplane.tunnel import Tunnel, Tunnelled
from clauderon.proxy.http.problem import Problem
from clauderon.proxy.http.request import RequestHead
from clauderon.proxy.net.upstream import Key


class Waiting(Tunnelled, Protocol):
    """The client's connection, while its upstream is dialled. trying: the task that dials."""

    trying: asyncio.Task[None] | None

    @property
    def session(self) -> Session:
        """The session that asks."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop."""

    def refuse(self, problem: Problem, head: RequestHead | None) -> None:
        """Answer with the problem, and close."""

    def flush_pending(self) -> None:
        """Send on what the client sent meanwhile."""


def open_tunnel(client: Waiting, head: RequestHead, host: str, port: int, rule: str) -> None:
    """Dial first, so that the answer to CONNECT is true; then join the two sides."""
    client.trying = client.loop.create_task(_open(client, head, host, port, rule))
    client.trying.add_done_callback(lambda task: _tried(client, task))


def _tried(client: Waiting, task: asyncio.Task[None]) -> None:
    """A bug must not leave the client waiting."""
    if not task.cancelled() and task.exception() is not None:
        client.close()
        task.result()


async def _open(client: Waiting, head: RequestHead, host: str, port: int, rule: str) -> None:
    session = client.session
    started = time.time()

    def record(
        status: int, up: int, down: int, error: str | None = None, problem: Problem | None = None
    ) -> None:
        session.counters.requests += 1
        session.record(
            kind="tunnel",
            host=host,
            port=port,
            method=b"CONNECT",
            status=status,
            rule=rule,
            up=up,
            down=down,
            started=started,
            problem=problem,
            error=error,
        )

    def ended(up: int, down: int, error: str | None) -> None:
        session.counters.open_tunnels -= 1
        record(200, up, down, error)

    key = Key(session.policy.id, False, host, port)
    try:
        upstream = await session.shared.dialler.open(key, session.rules, session.turn, raw=True)
    except Problem as problem:
        client.trying = None
        record(problem.status, 0, 0, problem=problem)
        client.refuse(problem, head)
        return
    except asyncio.CancelledError:
        record(0, 0, 0, "client-left")
        raise
    client.trying = None
    session.counters.tunnels += 1
    session.counters.open_tunnels += 1
    client.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
    Tunnel(client, upstream, ended)
    client.flush_pending()
