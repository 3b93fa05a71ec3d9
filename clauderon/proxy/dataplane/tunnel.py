"""Pass bytes both ways without looking at them: passthrough hosts, the main port, and what follows an upgrade."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from clauderon.proxy.net.turns import Turn
from clauderon.proxy.net.upstream import Upstream
from clauderon.proxy.net.wire import Data

PEER = 1  # the reason for holding one side: the other is not flushed


class Tunnelled(Protocol):
    """The client's connection, as a tunnel knows it (`net.wire.Wire` says what each does)."""

    ticks: int

    @property
    def turn(self) -> Turn | None:
        """Its session's turn; None outside a session."""

    @property
    def closed(self) -> bool:
        """Whether it is closed."""

    @property
    def secure(self) -> bool:
        """Whether TLS is on it."""

    @property
    def unflushed(self) -> bool:
        """Whether the peer reads slower than we write."""

    def join(self, tunnel: Tunnel) -> None:
        """From now on the tunnel is told what comes, and that it ended."""
        ...

    def send(self, data: Data) -> None:
        """Send, with what else is sent soon."""

    def flush(self) -> None:
        """Send what is due now."""

    def hold(self, reason: int) -> None:
        """Stop reading, for a reason of `wire`."""

    def release(self, reason: int) -> None:
        """Read again, if no other reason is left."""

    def end(self) -> None:
        """Send no more; go on reading."""

    def close(self) -> None:
        """Close it once what is unsent is sent."""

    def abort(self) -> None:
        """Close it at once."""


class Tunnel:
    """Two wires joined. `record` is called once, with the bytes up and down and an error word or None."""

    def __init__(
        self, client: Tunnelled, upstream: Upstream, record: Callable[[int, int, str | None], None]
    ) -> None:
        self.client = client
        self.upstream = upstream
        self._record = record
        self.up = 0
        self.down = 0
        self._halves = 0
        self._over = False
        client.join(self)
        upstream.own(self)
        if client.unflushed:
            upstream.hold(PEER)

    def client_data(self, data: memoryview | bytes) -> None:
        """Bytes for the upstream."""
        self.up += len(data)
        self.upstream.ticks = 0
        self.upstream.send(data)
        self.upstream.flush()

    def upstream_data(self, data: memoryview | bytes) -> None:
        """Bytes for the client."""
        self.down += len(data)
        self.client.ticks = 0
        self.client.send(data)
        self.client.flush()

    def client_ended(self, clean: bool) -> None:
        """The client sends no more."""
        self._half(self.upstream)

    def upstream_ended(self, clean: bool) -> None:
        """The upstream sends no more."""
        self._half(self.client)

    def _half(self, other: Tunnelled | Upstream) -> None:
        """One side is done sending. TCP can close by halves; in TLS both sides go, as all peers expect there."""
        self._halves += 1
        if self._halves == 2 or other.secure or self.client.secure or self.upstream.secure:
            self.over(None)
        elif not other.closed:
            other.end()

    def client_lost(self, error: Exception | None) -> None:
        """The client's connection is gone."""
        self.upstream.abort()
        self.over("client-reset" if error is not None else None)

    def upstream_lost(self, error: Exception | None) -> None:
        """The upstream's connection is gone."""
        if error is not None:
            self.client.abort()
        self.over("upstream-reset" if error is not None else None)

    def client_blocked(self) -> None:
        """The client reads slower than we write."""
        self.upstream.hold(PEER)

    def client_flushed(self) -> None:
        """The client has read everything."""
        self.upstream.release(PEER)

    def upstream_blocked(self) -> None:
        """The upstream reads slower than we write."""
        self.client.hold(PEER)

    def upstream_flushed(self) -> None:
        """The upstream has read everything."""
        self.client.release(PEER)

    def over(self, error: str | None) -> None:
        """End both sides, flushing what they were sent."""
        if self._over:
            return
        self._over = True
        self.upstream.owner = None
        self.client.close()
        self.upstream.close()
        self._record(self.up, self.down, error)
