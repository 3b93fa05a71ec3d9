"""One connection to an upstream, from its dialling to its end. Knows no policy."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import NamedTuple, Protocol

from clauderon.proxy.http.needles import Needles
from clauderon.proxy.http.problem import Problem
from clauderon.proxy.net.outbox import Outbox
from clauderon.proxy.net.tickets import Tickets
from clauderon.proxy.net.turns import Turn
from clauderon.proxy.net.wire import Wire


class Key(NamedTuple):
    """What makes two upstream connections interchangeable. Sessions do not share connections."""

    session: str
    secure: bool
    host: str
    port: int


class Owner(Protocol):
    """Who listens to an upstream connection at present."""

    def upstream_data(self, data: memoryview) -> None:
        """Bytes from the upstream."""

    def upstream_ended(self, clean: bool) -> None:
        """The upstream sends no more. `clean`: by TLS's own goodbye, or without TLS."""

    def upstream_lost(self, error: Exception | None) -> None:
        """The upstream's connection is gone; the error if there was one."""

    def upstream_blocked(self) -> None:
        """The upstream reads slower than we write."""

    def upstream_flushed(self) -> None:
        """The upstream has read everything."""


class Home(Protocol):
    """Where an upstream connection comes from, as far as it knows (the pool)."""

    generation: int
    outbox: Outbox
    tickets: Tickets[Key]

    def discard(self, wire: Upstream) -> None:
        """It ended while it was idle."""
        ...

    def forget(self, wire: Upstream) -> None:
        """Its transport is gone."""
        ...


class Upstream(Wire):
    """One connection to an upstream.

    What comes before it has an owner is kept for the first one: a server may speak, or leave, as soon as it has
    accepted. Later an owner that is missing means that it is idle: then a byte or an end finishes it.
    """

    __slots__ = (
        "early", "fresh", "generation", "idle_since", "key", "last", "needles", "owner", "parting", "pool", "reply",
        "resumes", "served", "via", "waiter",
    )  # fmt: skip

    TUNNEL_S = 15.0
    CLOSING_TICKS = 30  # to go, once it has all it was sent
    UNREAD_TICKS = 900  # to read some of it
    REPLY_MAX = 64 * 1024

    def __init__(
        self, loop: asyncio.AbstractEventLoop, key: Key, pool: Home, turn: Turn | None = None
    ) -> None:
        super().__init__(loop, pool.outbox)
        self.turn = turn
        self.key = key
        self.pool = pool
        self.generation = pool.generation
        self.owner: Owner | None = None
        self.fresh = True  # it has had no owner yet
        self.early = b""  # what came before, until the first owner has been told
        self.parting: Callable[[Owner], None] | None = None  # tells that it ended before
        self.served = 0
        self.resumes = False
        self.last = False  # the upstream closes after its present response
        self.idle_since = 0.0
        self.waiter: asyncio.Future[None] | None = None
        # Plain HTTP over an upstream proxy: the authorization it wants, else None; and what of that may not come back.
        self.via: bytes | None = None
        self.needles: Needles | None = None
        self.reply: bytes | None = None  # of the upstream proxy, while it is read

    def own(self, owner: Owner) -> None:
        """Let `owner` hear of everything from now on, and soon of what came before."""
        self.owner = owner
        if self.fresh:
            self.fresh = False
            if self.early or self.parting is not None:
                self.loop.call_soon(self._catch_up)

    def _catch_up(self) -> None:
        early, self.early = self.early, b""
        if early and self.owner is not None:
            self.owner.upstream_data(memoryview(early))
        parting, self.parting = self.parting, None
        if parting is None:
            return
        if self.owner is not None:
            parting(self.owner)
        else:
            self.pool.discard(self)
            self.close()

    def _raise_if_ended(self) -> None:
        if self.parting is not None or self.closed:
            self.abort()
            raise ConnectionResetError("the upstream closed the connection")

    async def tunnel_through(self, authority: str, authorization: bytes) -> None:
        """Ask the upstream proxy at the other end for a tunnel. Raises Problem."""
        head = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n".encode()
        if authorization:
            head += b"Proxy-Authorization: %b\r\n" % authorization
        self.waiter = self.loop.create_future()
        try:
            self._raise_if_ended()
            first, self.early, self.reply = self.early, b"", b""
            self.send(head + b"\r\n")
            if first:
                self._read_reply(memoryview(first))
            async with asyncio.timeout(self.TUNNEL_S):
                await self.waiter
        except TimeoutError:
            self.abort()
            raise Problem(504, "upstream-proxy", "the upstream proxy did not answer") from None
        except OSError as error:
            self.abort()
            raise Problem(502, "upstream-proxy", f"the upstream proxy: {error}") from None
        except BaseException:
            self.abort()  # whoever asked has left
            raise
        finally:
            self.waiter = None
            self.reply = None

    def _read_reply(self, data: memoryview) -> None:
        """Collect the upstream proxy's answer. What follows is the other end's, which in TLS does not speak first."""
        assert self.reply is not None
        self.reply += bytes(data)
        head, end, rest = self.reply.partition(b"\r\n\r\n")
        if not end:
            if len(self.reply) > self.REPLY_MAX:
                self._settle(ConnectionError("its answer is too long"))
            return
        words = head.split(b"\r\n", 1)[0].split(b" ", 2)
        if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
            self._settle(ConnectionError("its answer is not HTTP"))
        elif words[1][:1] != b"2":
            # Its own words may repeat what it was sent, the password among that.
            code = words[1].decode("ascii", "replace")[:3]
            hint = ": it wants a user and a password in [proxy] upstream_proxy" if code == "407" else ""
            self._settle(ConnectionError(f"it refused the tunnel with {code}{hint}"))
        elif rest and self.key.secure:
            self._settle(ConnectionError("it sent bytes before the tunnel was used"))
        else:
            self.early, self.reply = rest, None
            self._settle(None)

    async def secure_for(self, context: ssl.SSLContext, hostname: str) -> None:
        """Run the TLS handshake. Raises ssl.SSLError, or OSError if the upstream leaves meanwhile.

        `resumes` says afterwards whether a ticket was offered; one it failed with is not offered again.
        """
        self.waiter = self.loop.create_future()
        ticket = self.pool.tickets.get(self.key)
        try:
            self.start_tls(context, server=False, hostname=hostname, session=ticket)
        except ValueError:
            if ticket is None:
                raise
            # It was made in another context. A full handshake is always possible.
            self.pool.tickets.drop(self.key)
            self.start_tls(context, server=False, hostname=hostname)
            ticket = None
        self.resumes = ticket is not None
        try:
            self._raise_if_ended()
            first, self.early = self.early, b""
            self.begin(first)
            await self.waiter
        except BaseException:
            if ticket is not None:
                self.pool.tickets.rest(self.key, self.loop.time())
            raise
        finally:
            self.waiter = None

    def _settle(self, error: Exception | None) -> None:
        if self.waiter is not None and not self.waiter.done():
            if error is None:
                self.waiter.set_result(None)
            else:
                self.waiter.set_exception(error)

    def secured(self) -> None:
        self._settle(None)

    def insecure(self, error: Exception) -> None:
        self._settle(error)
        self.abort()

    def received(self, data: memoryview) -> None:
        self.ticks = 0
        if self.early:
            self.early += data
        elif self.owner is not None:
            self.owner.upstream_data(data)
        elif self.reply is not None:
            self._read_reply(data)
        elif self.fresh:
            self.early = bytes(data)
        else:
            self.pool.discard(self)
            self.abort()

    def ended(self, clean: bool) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.abort()
            when = " during the TLS handshake" if self.reply is None else ""
            self._settle(ConnectionResetError(f"the upstream closed the connection{when}"))
        elif self.fresh or self.early:
            self.parting = lambda owner: owner.upstream_ended(clean)
        elif self.owner is not None:
            self.owner.upstream_ended(clean)
        else:
            self.pool.discard(self)
            self.close()

    def lost(self, error: Exception | None) -> None:
        self._settle(error or ConnectionResetError("the upstream closed the connection"))
        if self.fresh or self.early:
            self.parting = lambda owner: owner.upstream_lost(error)
        elif self.owner is not None:
            self.owner.upstream_lost(error)
        else:
            self.pool.discard(self)

    def blocked(self) -> None:
        if self.owner is not None:
            self.owner.upstream_blocked()

    def flushed(self) -> None:
        if self.owner is not None:
            self.owner.upstream_flushed()

    def tick(self) -> None:
        """Called by every sweep, after `ticks` was counted up."""
        if self.closed and self.is_overdue(self.UNREAD_TICKS, self.CLOSING_TICKS):
            self.expire()

    def gone(self) -> None:
        self.pool.forget(self)
