"""One request and its response, between a client and an upstream. Bodies pass by as they come, in both directions."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from clauderon.proxy.framing import Framing, FramingError, UntilClose, framing_for
from clauderon.proxy.head import END, MAX_HEAD, HeadError, RequestHead, parse_response, split_target
from clauderon.proxy.refusal import Problem
from clauderon.proxy.tunnel import PEER, Tunnel
from clauderon.proxy.upstream import Key

if TYPE_CHECKING:
    from clauderon.proxy.client import Client
    from clauderon.proxy.interfaces import Grant
    from clauderon.proxy.upstream import Upstream

DIALLING = 2  # the reason for not reading a client: there is nowhere to send it yet
_SAFE = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE"})
_MAX_INTERIM = 64
# Fields that would change a message's meaning after its head was judged.
_NOT_IN_TRAILERS = frozenset(
    {
        b"content-length",
        b"transfer-encoding",
        b"host",
        b"connection",
        b"upgrade",
        b"trailer",
        b"te",
        b"expect",
    }
    | {
        b"authorization",
        b"proxy-authorization",
        b"cookie",
        b"content-encoding",
        b"content-type",
        b"content-range",
    }
)


class Exchange:
    """Created with a judged request; ends by calling `client.exchange_done` exactly once."""

    __slots__ = (
        "answer", "began", "body", "client", "dialling", "down", "extra", "final", "grant", "head", "held", "interim",
        "key", "message", "over", "reused", "rule", "sent", "started", "status", "up", "upstream",
    )  # fmt: skip

    def __init__(self, client: Client, head: RequestHead, key: Key, rule: str, grant: Grant | None) -> None:
        self.client = client
        self.head = head
        self.key = key
        self.rule = rule
        self.grant = grant
        self.started = time.time()
        self.began = client.loop.time()
        self.upstream: Upstream | None = None
        self.dialling: asyncio.Task[None] | None = None
        self.body: Framing | None = None
        self.sent = head.length == 0
        self.message = b""
        self.reused = False
        self.answer: Framing | None = None
        self.held = b""
        self.interim = 0
        self.status = 0
        self.final = False  # the connection to the client ends with this response
        self.extra = False
        self.up = 0
        self.down = 0
        self.over = False

    # The request.

    def start(self, message: bytes, rest: bytes) -> int:
        """Send the rendered head and what has come of the body; returns how many bytes of `rest` were its."""
        used = 0
        if not self.sent:
            refused = _NOT_IN_TRAILERS | self.client.session.shared.credentials.headers
            self.body = framing_for(self.head.length, refused)
            if rest:
                try:
                    used = self.body.feed(rest)
                except FramingError as error:
                    self.fail(Problem(400, "bad-body", f"the request's body is malformed: {error}"))
                    return 0
                message += rest[:used]
                self.sent = self.body.done
        self.message = message
        client = self.client
        upstream = client.session.shared.pool.take(self.key, safe=self.head.method in _SAFE)
        if upstream is not None:
            self.reused = True
            self._attach(upstream)
        else:
            self._dial()
        return used

    def _dial(self) -> None:
        if not self.sent:
            self.client.hold(DIALLING)
        self.dialling = self.client.loop.create_task(self._open())

    async def _open(self) -> None:
        session = self.client.session
        try:
            upstream = await session.shared.dialler.open(self.key, session.rules)
        except Problem as problem:
            self.dialling = None
            self.fail(problem)
            return
        self.dialling = None
        if self.over:
            session.shared.pool.put(upstream)
            return
        self._attach(upstream)
        self.client.release(DIALLING)

    def _attach(self, upstream: Upstream) -> None:
        self.upstream = upstream
        upstream.owner = self
        upstream.ticks = 0
        message = self.message
        if upstream.via is not None:
            message = self._through_proxy(message, upstream.via)
        if not self.reused or not self.sent or self.head.method not in _SAFE:
            self.message = b""
        self.up = len(message)
        upstream.send(message)

    def _through_proxy(self, message: bytes, authorization: bytes) -> bytes:
        """The absolute form, for an upstream that is itself a proxy."""
        line, _, rest = message.partition(b"\r\n")
        method, target, version = line.split(b" ")
        host = self.head.host or b""
        if authorization:
            rest = b"Proxy-Authorization: %b\r\n%b" % (authorization, rest)
        return b"%b http://%b%b %b\r\n%b" % (method, host, target, version, rest)

    def client_data(self, data: memoryview) -> int:
        """More of the request's body; returns how many bytes were its."""
        body = self.body
        assert body is not None
        try:
            used = body.feed(data)
        except FramingError as error:
            self.fail(Problem(400, "bad-body", f"the request's body is malformed: {error}"))
            return len(data)
        upstream = self.upstream
        if upstream is None:
            self.message += bytes(data[:used])
        else:
            upstream.ticks = 0
            self.up += used
            upstream.send(data if used == len(data) else data[:used])
        self.sent = body.done
        return used

    # The response.

    def upstream_data(self, data: memoryview) -> None:
        answer = self.answer
        if answer is None:
            self._heads(self.held + bytes(data) if self.held else bytes(data))
            return
        try:
            used = answer.feed(data)
        except FramingError as error:
            self._broken("upstream-framing", f"{self.key.host} sent a malformed body: {error}")
            return
        self.down += used
        client = self.client
        client.ticks = 0
        if used == len(data):
            client.send(data)
        else:
            self.extra = True
            client.send(data[:used])
        if answer.done:
            self._complete()

    def _heads(self, data: bytes) -> None:
        """Read the interim responses and the final one's head; pass them on with what there is of the body."""
        while True:
            end = data.find(END)
            if end < 0:
                if len(data) > MAX_HEAD:
                    self._broken(
                        "upstream-head", f"{self.key.host} sent a head of more than {MAX_HEAD} bytes"
                    )
                    return
                self.held = data
                return
            try:
                head = parse_response(data[:end], self.head.method)
            except HeadError as error:
                self._broken("upstream-head", f"{self.key.host} sent a malformed response: {error}")
                return
            if head.status >= 200:
                break
            if head.status == 101:
                self._upgraded(data, end + 4)
                return
            self.interim += 1
            if self.interim > _MAX_INTERIM:
                self._broken("upstream-head", f"{self.key.host} sent too many interim responses")
                return
            if self.head.minor:
                self.down += end + 4
                self.client.send(data[: end + 4])
            data = data[end + 4 :]
            if not data:
                self.held = b""
                return
        self.status = head.status
        self.final = head.close or self.head.close
        size = end + 4
        length = head.length
        if 0 <= length <= len(data) - size:
            size += length
            done = True
        else:
            self.answer = framing_for(length)
            try:
                size += self.answer.feed(memoryview(data)[size:])
            except FramingError as error:
                self._broken("upstream-framing", f"{self.key.host} sent a malformed body: {error}")
                return
            done = self.answer.done
        if self.final and self.upstream is not None and (head.close or not self.head.minor):
            self.upstream.last = True
        self.held = b""
        self.message = b""
        self.down += size
        client = self.client
        if size == len(data):
            client.send(data)
        else:
            self.extra = True
            client.send(data[:size])
        if done:
            self._complete()

    def _upgraded(self, data: bytes, size: int) -> None:
        upstream = self.upstream
        assert upstream is not None
        if not self.head.upgrade or not self.sent:
            self._broken("upstream-head", f"{self.key.host} switched protocols without being asked to")
            return
        self.status = 101
        self.over = True
        self.upstream = None
        client = self.client
        client.send(data[:size])
        tunnel = Tunnel(client, upstream, self._record_upgrade)
        tunnel.up, tunnel.down = self.up, size
        if size < len(data):
            tunnel.upstream_data(data[size:])
        client.exchange_upgraded()

    def _record_upgrade(self, up: int, down: int, error: str | None) -> None:
        self.up, self.down = up, down
        self._record("upgrade", error=error, upgrade=self.head.upgrade.decode("ascii", "replace"))

    def _complete(self) -> None:
        """The response is whole."""
        self.over = True
        upstream = self.upstream
        assert upstream is not None
        self.upstream = None
        upstream.owner = None
        if not self.sent or upstream.last or self.extra or upstream.closed:
            upstream.abort()
        else:
            upstream.release(PEER)
            self.client.session.shared.pool.put(upstream)
        self._record("request")
        self.client.exchange_done(self.final or not self.sent, unread=not self.sent)

    # What goes wrong.

    def upstream_ended(self, clean: bool) -> None:
        upstream = self.upstream
        assert upstream is not None
        if self.answer is not None and type(self.answer) is UntilClose:
            self.over = True
            self.upstream = None
            upstream.owner = None
            upstream.close()
            self._record("request")
            # A TLS end without a goodbye may be a cut: then the client gets none either.
            self.client.exchange_done(True, unread=not self.sent, abrupt=not clean)
            return
        upstream.abort()
        self.upstream_lost(None)

    def upstream_lost(self, error: Exception | None) -> None:
        upstream = self.upstream
        assert upstream is not None
        upstream.owner = None
        self.upstream = None
        if self.reused and self.message and not self.held and not self.interim and not self.status:
            # It was closed while idle, and asking twice changes nothing (RFC 9110 9.2.2): once more, on a new one.
            self.reused = False
            self._dial()
            return
        host = self.key.host
        if self.status:
            self._cut("upstream-reset")
        elif self.held or self.interim:
            self.fail(
                Problem(502, "upstream-reset", f"{host} closed the connection inside its response's head")
            )
        else:
            self.fail(
                Problem(502, "upstream-reset", f"{host} closed the connection without an answer", "try again")
            )

    def _broken(self, code: str, what: str) -> None:
        """The upstream's response makes no sense."""
        if self.upstream is not None:
            self.upstream.owner = None
            self.upstream.abort()
            self.upstream = None
        if self.status:
            self._cut(code)
        else:
            self.fail(Problem(502, code, what))

    def _cut(self, error: str) -> None:
        """The response is cut short, and the client must be able to tell."""
        self.over = True
        self._record("request", error=error)
        self.client.abort()
        self.client.exchange_cut()

    def fail(self, problem: Problem) -> None:
        """Answer the client ourselves."""
        if self.over:
            return
        self._drop_upstream()
        if self.status:
            self._cut(problem.code)
            return
        self.over = True
        self.status = problem.status
        self._record("request", problem=problem)
        self.client.exchange_failed(self, problem)

    def client_gone(self) -> None:
        """The client left: so does its request, at once."""
        if self.over:
            return
        self.over = True
        self._drop_upstream()
        self._record("request", error="client-left")

    def _drop_upstream(self) -> None:
        if self.dialling is not None:
            self.dialling.cancel()
            self.dialling = None
        if self.upstream is not None:
            self.upstream.owner = None
            self.upstream.abort()
            self.upstream = None

    # Flow control.

    def upstream_blocked(self) -> None:
        self.client.hold(PEER)

    def upstream_flushed(self) -> None:
        self.client.release(PEER)

    def client_blocked(self) -> None:
        if self.upstream is not None:
            self.upstream.hold(PEER)

    def client_flushed(self) -> None:
        if self.upstream is not None:
            self.upstream.release(PEER)

    def _record(
        self,
        kind: str,
        *,
        problem: Problem | None = None,
        error: str | None = None,
        upgrade: str | None = None,
    ) -> None:
        head, grant = self.head, self.grant
        self.client.session.counters.requests += 1
        self.client.session.record(
            kind=kind,
            host=self.key.host,
            port=self.key.port,
            method=head.method,
            path=split_target(head.target)[0],
            status=self.status,
            rule=self.rule,
            started=self.started,
            up=self.up,
            down=self.down,
            duration=self.client.loop.time() - self.began,
            credential=grant.name if grant is not None and self.key.secure else None,
            upgrade=upgrade,
            problem=problem,
            error=error,
        )
