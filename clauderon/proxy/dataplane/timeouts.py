"""How long a client connection may take over what it is doing, counted in sweeps of a second. No timers of its own."""

from __future__ import annotations

from typing import Protocol

from clauderon.proxy.dataplane.exchange import Exchange
from clauderon.proxy.dataplane.tunnel import Tunnel
from clauderon.proxy.http.problem import Problem

# What a client connection is doing. HEAD: between requests. TLS: the ClientHello or the rest of the handshake is due.
HEAD, TLS, BUSY, RAW = range(4)

HEAD_TICKS = 60  # for a request's head once it has begun
TLS_TICKS = 30
IDLE_TICKS = 1800  # between requests
STALL_TICKS = 900  # without a byte either way in an exchange; models may think long before they answer
TAIL_TICKS = 10  # for the rest of a request that is answered already
RAW_TICKS = 7200
CLOSING_TICKS = 10  # for the other end to go too, once it has all it was sent


class Timed(Protocol):
    """A client's connection, as its deadlines know it. ticks: sweeps since something last happened."""

    @property
    def ticks(self) -> int:
        """Sweeps since something last happened."""

    @property
    def mode(self) -> int:
        """What the connection waits for."""

    @property
    def closed(self) -> bool:
        """Whether it is closed."""

    @property
    def pending(self) -> bytes | bytearray:
        """Bytes that came and were not read yet."""

    @property
    def unread(self) -> int:
        """Bytes that the peer had not read at the last sweep."""

    @property
    def host(self) -> str:
        """The CONNECT's host; empty outside a tunnel."""

    @property
    def exchange(self) -> Exchange | None:
        """The request in flight; None if there is none."""

    @property
    def tunnel(self) -> Tunnel | None:
        """The raw tunnel it is; None if it is none."""

    def is_overdue(self, stall: int, closing: int) -> bool:
        """Whether the peer has read nothing for `stall` sweeps, or `closing` sweeps after our end."""

    def record(self, problem: Problem) -> None:
        """Write the problem in the audit."""

    def refuse(self, problem: Problem, head: None) -> None:
        """Answer with the problem, and close."""

    def not_tls(self, problem: Problem) -> None:
        """End a tunnel in which no handshake came."""

    def close(self) -> None:
        """Close it once what is unsent is sent."""

    def drop(self) -> None:
        """Close it at once."""

    def expire(self) -> None:
        """End a request that took too long."""


def tick(client: Timed) -> None:
    """End the connection if it took too long. Called by every sweep, after the client's `ticks` was counted up."""
    ticks = client.ticks
    if client.closed:
        _closing(client)
    elif client.mode == HEAD:
        if not client.pending:
            if ticks > IDLE_TICKS:
                client.close()
        elif ticks > HEAD_TICKS:
            client.refuse(Problem(408, "slow-client", f"no whole request head within {HEAD_TICKS} s"), None)
    elif client.mode == TLS:
        if ticks > TLS_TICKS:
            _silent(client)
    elif client.mode == RAW:
        if ticks > RAW_TICKS and client.tunnel is not None:
            client.tunnel.over("idle")
    else:
        _busy(client)


def _closing(client: Timed) -> None:
    """A slow reader may take its time over what it was sent before the end, as it might have before."""
    if client.is_overdue(STALL_TICKS, CLOSING_TICKS):
        if client.unread:
            what = f"it read nothing for {STALL_TICKS} s, and {client.unread} bytes for it were dropped"
            client.record(Problem(0, "client-stalled", what))
        client.expire()


def _silent(client: Timed) -> None:
    """A tunnel in which no TLS came: a protocol whose server speaks first, perhaps."""
    what = f"no TLS handshake came in the tunnel to {client.host} within {TLS_TICKS} s"
    fix = f"if it is not HTTPS, add {client.host} to [proxy] passthrough"
    client.not_tls(Problem(408, "not-tls", what, fix))


def _busy(client: Timed) -> None:
    """Neither side of an exchange may have moved for some time."""
    exchange = client.exchange
    if exchange is not None and exchange.answered:
        if client.ticks > TAIL_TICKS:
            exchange.client_stopped()
    elif client.ticks > STALL_TICKS:
        if exchange is None:
            client.drop()  # the client does not read the answer
        elif exchange.upstream is None or exchange.upstream.ticks > STALL_TICKS:
            what = f"{exchange.key.host} sent nothing for {STALL_TICKS} s"
            exchange.fail(Problem(504, "upstream-stalled", what, "try again"))
