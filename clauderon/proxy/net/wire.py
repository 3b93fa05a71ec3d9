"""One TCP connection with optional TLS on top: bytes in, bytes out, flow control. Knows nothing of HTTP.

TLS runs here on memory BIOs rather than in the event loop's own layer, because a proxy needs what that layer hides:
the ClientHello that came in the same segment as the CONNECT, one receive buffer for all connections, no buffers for
idle ones, and the reason why a handshake failed.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

from clauderon.proxy.net.outbox import Events, Outbox
from clauderon.proxy.net.turns import Turn

RECEIVE = 64 * 1024
RECORD = 16 * 1024
# The loop fills the first buffer and calls us at once, and we are done with both before we return; so they are
# shared by every connection. Whoever keeps bytes from `received` beyond the call copies them.
_cipher = bytearray(RECEIVE)
_plain = bytearray(RECEIVE + 2 * RECORD)
_cipher_view = memoryview(_cipher)
_plain_view = memoryview(_plain)
HIGH_WATER = 256 * 1024
TURN = 8  # the reason for not reading: it is not this session's turn
AT_ONCE = 8 * 1024  # from this size on a write of its own is worth it

Data = bytes | bytearray | memoryview


def _gone(*_: object) -> int:
    """In the place of a TLS object's methods, which would keep it alive."""
    return 0


class Wire(Events):
    """A connection's two ends of bytes. Subclasses override what `Events` tells them."""

    __slots__ = (
        "_due", "_held", "_incoming", "_outbox", "_outgoing", "_read", "_tls", "_write", "closed", "loop", "secure",
        "ticks", "transport", "turn", "unflushed", "unread",
    )  # fmt: skip

    def __init__(self, loop: asyncio.AbstractEventLoop, outbox: Outbox) -> None:
        self.loop = loop
        self._outbox = outbox
        self._due = False  # it is in the outbox
        self.turn: Turn | None = None  # of the session it works for
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)
        self.closed = False
        self.secure = False  # the TLS handshake is complete
        self.unflushed = False  # the peer reads slower than we write
        self._tls: ssl.SSLObject | None = None
        self._read: Callable[..., int] = _gone
        self._write: Callable[..., int] = _gone
        self._held = 0
        self.ticks = 0  # sweeps since something last happened here
        self.unread = 0  # bytes the peer had not read at the last sweep after our end

    # The transport's calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's: the connection is there."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=HIGH_WATER)
        self.connected()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio's: the connection is gone."""
        self.ticks = 0
        was_closed, self.closed = self.closed, True
        self._tls = None
        self._read = self._write = _gone
        if not was_closed:
            self.lost(exc)
        self.gone()

    def get_buffer(self, sizehint: int) -> memoryview:
        """asyncio's: where to put what comes, shared by all connections."""
        return _cipher_view

    def buffer_updated(self, nbytes: int) -> None:
        """asyncio's: `nbytes` came into the buffer."""
        if self.closed:
            return
        if self._outbox.contended and self.turn is not None and not self.turn.entered:
            self._take_turn(self.turn, nbytes)
            return
        if self._tls is None:
            self.received(_cipher_view[:nbytes])
            return
        incoming = self._incoming
        incoming.write(_cipher_view[:nbytes])
        if not self.secure:
            self._shake()
            return
        try:
            total = self._read(RECEIVE, _plain)
        except ssl.SSLError as error:
            self._not_read(error)
            return
        if incoming.pending or not total:
            self._decrypt(total)
        else:
            if self._outgoing.pending:
                self._flush()
            self.received(_plain_view[:total])

    def eof_received(self) -> bool:
        """asyncio's: the peer sends no more; whether to keep our half open."""
        if self.closed:
            return False
        self.ended(self._tls is None)
        return True

    def pause_writing(self) -> None:
        """asyncio's: the peer reads slower than we write."""
        self.unflushed = True
        if not self.closed:
            self.blocked()

    def resume_writing(self) -> None:
        """asyncio's: the peer has read enough."""
        self.unflushed = False
        if not self.closed:
            self.flushed()

    # What an owner calls.

    def send(self, data: Data, *, soon: bool = True) -> None:
        """Send `data`; it may be reused as soon as this returns. Nothing happens on a closed wire.

        soon: with what else the loop finds to send before it sleeps, rather than now.
        """
        if self.closed:
            return
        tls = self._tls
        if tls is None:
            self.transport.write(data if type(data) is bytes else bytes(data))
            return
        size = len(data)
        write = self._write
        try:
            sent = write(data)
            if sent < size:
                view = memoryview(data)
                while sent < size:
                    sent += write(view[sent:])
        except ssl.SSLError as error:
            self._break(error)
            return
        if not soon or size >= AT_ONCE or (self._due and self._outgoing.pending > RECEIVE):
            self.transport.write(self._outgoing.read())
        elif not self._due:
            self._due = True
            self._outbox.add(self)

    def send_now(self, data: Data) -> None:
        """Send at once instead of at the end of this turn of the loop."""
        self.send(data, soon=False)

    def flush(self) -> None:
        """Send now what was to be sent soon."""
        if self._due:
            self._due = False
            if not self.closed:
                self._flush()

    def start_tls(
        self,
        context: ssl.SSLContext,
        *,
        server: bool,
        hostname: str | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Put TLS between; `begin` starts the handshake, `secured` or `insecure` follows."""
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server, server_hostname=hostname, session=session
        )
        # The object inside does the same without a Python call in between, where there is one.
        inner = getattr(tls, "_sslobj", tls)
        self._read = cast("Callable[..., int]", inner.read)
        self._write = inner.write
        return tls

    def begin(self, first: Data = b"") -> None:
        """Take the first step of the handshake; `first` holds bytes of the peer's that were read already."""
        turn = self.turn
        charged = self._outbox.contended and turn is not None and not turn.entered
        if turn is not None and charged:
            turn.enter()
        if first:
            self._incoming.write(first)
        try:
            self._shake()
        finally:
            if turn is not None and charged:
                turn.leave()

    def tls_session(self) -> ssl.SSLSession | None:
        """The session to resume with, once the peer has sent a ticket."""
        session = self._tls.session if self._tls is not None else None
        return session if session is not None and session.has_ticket else None

    def hold(self, reason: int) -> None:
        """Stop reading until every reason (a bit each) is released."""
        if not self._held and not self.closed:
            self.transport.pause_reading()
        self._held |= reason

    def release(self, reason: int) -> None:
        """Read again, if no other reason to hold is left."""
        if self._held & reason:
            self._held &= ~reason
            if not self._held and not self.closed:
                self.transport.resume_reading()

    def _take_turn(self, turn: Turn, nbytes: int) -> None:
        turn.enter()
        try:
            self.wait_if_over()  # after this
            self.buffer_updated(nbytes)
        finally:
            turn.leave()

    def wait_if_over(self) -> bool:
        """Whether the session's turn is over; then no more is read until its next, in which `resume` is called."""
        turn = self.turn
        if turn is None or not turn.over():
            return False
        if not self._held & TURN and not self.closed:
            self.hold(TURN)
            turn.park(self)
        return True

    def resume(self) -> None:
        """The session's turn has come."""
        self.release(TURN)

    def close(self, *, goodbye: bool = True) -> None:
        """Flush what was sent, say goodbye in TLS, then close. No event follows but `gone`."""
        if self.closed:
            return
        self.closed = True
        self.ticks = 0
        if goodbye:
            self._goodbye()
        elif self._tls is not None:
            self._flush()
        self.transport.close()

    def finish(self) -> None:
        """As `close`, but wait for the peer to close too and drop what it still sends.

        For an answer given before the request was read: to close now would reset the connection, and the peer
        might lose the answer.
        """
        if self.closed:
            return
        self.closed = True
        self.ticks = 0
        if self._held:
            self._held = 0
            self.transport.resume_reading()
        self.end()

    def abort(self) -> None:
        """Drop the connection at once; what was not flushed is lost, and the peer can tell. Only `gone` follows."""
        if not self.closed:
            self.closed = True
            self.transport.abort()

    def _break(self, error: Exception) -> None:
        """TLS failed under somebody's call: drop the connection now, and say so once that call is over."""
        self.closed = True
        self.transport.abort()
        self.loop.call_soon(self.lost, error)

    def end(self) -> None:
        """Send no more, but go on reading."""
        self._goodbye()
        self.transport.write_eof()

    def is_overdue(self, reading: int, leaving: int) -> bool:
        """Whether the peer of a closed wire had its time: so many ticks to read some of what it was sent, as long as
        it goes on, and so many to leave after that. Asked at every sweep.
        """
        unread = self.transport.get_write_buffer_size()
        if unread != self.unread:
            self.unread = unread
            self.ticks = 0
            return False
        return self.ticks > (reading if unread else leaving)

    def expire(self) -> None:
        """A closed wire whose peer neither reads nor leaves."""
        self.transport.abort()

    def _goodbye(self) -> None:
        if self._tls is not None and self.secure:
            try:  # noqa: SIM105 - suppress costs more than all else here
                self._tls.unwrap()  # the peer's own goodbye is not waited for
            except (ssl.SSLError, OSError, ValueError):
                pass
            rest = self._outgoing.read()
            if rest:
                self.transport.write(rest)

    # TLS.

    def _shake(self) -> None:
        tls = self._tls
        assert tls is not None
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except (ssl.SSLError, OSError, ValueError) as error:
            self._flush()
            if not self.closed:
                self.insecure(error)
            return
        self.secure = True
        self._flush()
        if not self.closed:
            self.secured()
        if self._incoming.pending and not self.closed:
            self._decrypt()

    def _flush(self) -> None:
        rest = self._outgoing.read()
        if rest and not self.transport.is_closing():
            self.transport.write(rest)

    def _not_read(self, error: ssl.SSLError) -> None:
        """There is no data: not yet, or never again."""
        if self._outgoing.pending:
            self._flush()
        if not isinstance(error, ssl.SSLWantReadError):
            self._break(error)

    def _decrypt(self, total: int = 0) -> None:
        """Read what there is, after the `total` bytes read already. Reading nothing means that the peer took leave."""
        failure: ssl.SSLError | None = None
        incoming, read = self._incoming, self._read
        got = 1
        try:
            while got:
                got = read(RECEIVE, _plain_view[total:])
                total += got
                if not incoming.pending:
                    break
        except ssl.SSLZeroReturnError:
            got = 0
        except ssl.SSLError as error:
            failure = error
        if self._outgoing.pending:
            self._flush()
        if total:
            self.received(_plain_view[:total])
        if self.closed:
            return
        if failure is not None:
            self._not_read(failure)
        elif not got:
            self.ended(True)
