"""Idle connections to upstreams, kept for the next request to the same place. Knows no policy."""

from __future__ import annotations

import asyncio
from collections import Counter

from clauderon.proxy.net.outbox import Outbox
from clauderon.proxy.net.tickets import Tickets
from clauderon.proxy.net.upstream import Key, Upstream


class Pool:
    """Idle upstream connections, the last used first, and the TLS sessions to resume.

    Once it is full, who has the most in it makes room: a session that visits many hosts must not keep the connection
    of another from being used again, which would cost that one a handshake for every request.

    generation: counts the times everything was cleared. What was opened before the last of them was opened on terms
    that may no longer hold (trust, a route), and is not kept when it comes back.
    """

    PER_KEY = 128
    TOTAL = 512
    ROOM = 32  # this many are closed at once, since finding them takes longer than closing them
    IDLE_S = 50.0
    # A request that must not be sent twice goes only over a connection that was in use a moment ago: then the
    # upstream is unlikely to be closing it right now.
    FRESH_S = 30.0

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.outbox = Outbox(loop)
        self.idle: dict[Key, list[Upstream]] = {}
        self.size = 0
        self.generation = 0
        self.tickets: Tickets[Key] = Tickets()
        self.wires: set[Upstream] = set()

    def take(self, key: Key, *, safe: bool) -> Upstream | None:
        """An idle connection, or None. `safe`: the request may be sent again if the connection proves dead."""
        wires = self.idle.get(key)
        if not wires:
            return None
        wire = wires[-1]
        if not safe and self.loop.time() - wire.idle_since > self.FRESH_S:
            return None
        wires.pop()
        if not wires:
            del self.idle[key]
        self.size -= 1
        return wire

    def put(self, wire: Upstream) -> None:
        """Keep a connection whose last response is complete."""
        wire.owner = None
        if wire.closed:
            return
        if wire.generation != self.generation:
            wire.close()
            return
        key = wire.key
        wires = self.idle.get(key)
        if wires is None:
            wires = self.idle[key] = []
        if not wire.served and wire.secure:
            self.tickets.learn(key, self.loop.time(), wire.tls_session)
        wire.served += 1
        if len(wires) >= self.PER_KEY:
            wire.close()
            return
        wire.idle_since = self.loop.time()
        wires.append(wire)
        self.size += 1
        if self.size > self.TOTAL:
            self._make_room()

    def _make_room(self) -> None:
        """Close what was idle the longest of the session that has the most."""
        sizes: Counter[str] = Counter()
        for key, wires in self.idle.items():
            sizes[key.session] += len(wires)
        most = max(sizes, key=sizes.__getitem__)
        theirs = [wire for key, wires in self.idle.items() if key.session == most for wire in wires]
        theirs.sort(key=lambda wire: wire.idle_since)
        for wire in theirs[: self.ROOM]:
            self.discard(wire)
            wire.close()

    def discard(self, wire: Upstream) -> None:
        """Take an idle connection out of the pool."""
        wires = self.idle.get(wire.key)
        if wires and wire in wires:
            wires.remove(wire)
            self.size -= 1
            if not wires:
                del self.idle[wire.key]

    def forget(self, wire: Upstream) -> None:
        """Count a connection no longer: it is gone."""
        self.wires.discard(wire)

    def sweep(self) -> None:
        """Close what was idle too long."""
        oldest = self.loop.time() - self.IDLE_S
        for key in list(self.idle):
            wires = self.idle[key]
            stale = [wire for wire in wires if wire.idle_since < oldest]
            if stale:
                self.size -= len(stale)
                kept = wires[len(stale) :]
                if kept:
                    self.idle[key] = kept
                else:
                    del self.idle[key]
                for wire in stale:
                    wire.close()

    def clear(self, session: str | None = None) -> None:
        """Close every idle connection, or those of one session, and forget its TLS sessions."""
        if session is None:
            self.generation += 1
        for key in [key for key in self.idle if session is None or key.session == session]:
            for wire in self.idle.pop(key):
                self.size -= 1
                wire.close()
        self.tickets.forget(lambda key: session is None or key.session == session)
