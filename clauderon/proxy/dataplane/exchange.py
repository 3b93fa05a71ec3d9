"""One request and its response, between a client and an upstream. Bodies pass by as they come, in both directions."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

from clauderon.proxy.audit.record import AuditRecord
from clauderon.proxy.dataplane.model_tunnel import ModelTunnel
from clauderon.proxy.dataplane.session import Session, audit_path
from clauderon.proxy.dataplane.tunnel import PEER, Tunnel, Tunnelled
from clauderon.proxy.http.framing import Framing, FramingError, request_framing
from clauderon.proxy.http.problem import HTTP2_FIX, Problem
from clauderon.proxy.http.request import RequestHead, absolute_form
from clauderon.proxy.http.response import SWITCHED, WHOLE, Response, ResponseError
from clauderon.proxy.net.upstream import Key, Upstream
from clauderon.proxy.net.wire import Data
from clauderon.proxy.policy.grant import Grant, Lease
from clauderon.proxy.policy.hosts import format_authority
from clauderon.proxy.usage.meter import Metering

DIALLING = 2  # the reason for not reading a client: there is nowhere to send it yet
_SAFE = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE"})


class Front(Tunnelled, Protocol):
    """The client's connection, as an exchange knows it. Exactly one of the `exchange_...` ends the exchange."""

    @property
    def session(self) -> Session:
        """The session that the request belongs to."""

    @property
    def metered(self) -> bool:
        """Whether models answer where the request goes."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop."""

    def send_now(self, data: Data) -> None:
        """Send to the client at once."""

    def exchange_done(self, final: bool, *, unread: bool = False, abrupt: bool = False) -> None:
        """The answer is complete. `final`: no further request on this connection."""

    def exchange_failed(self, exchange: Exchange, problem: Problem) -> None:
        """There is no answer; the client is told the problem."""

    def exchange_cut(self, exchange: Exchange) -> None:
        """The answer broke off half-way."""

    def exchange_upgraded(self) -> None:
        """The connection is a tunnel now."""


class Exchange:
    """Created with a judged request. Ends by calling one of the client's `exchange_...` methods exactly once.

    sent: the request is complete. up: bytes sent to the upstream.
    """

    # Defaults of the class: cheaper than an assignment for each exchange.
    upstream: Upstream | None = None
    answered = False  # the response was passed on whole, the request is still coming
    up = 0
    _body: Framing | None = None
    _message = b""  # what is to be sent first; kept as long as it may have to be sent again
    _dialling: asyncio.Task[None] | None = None
    _reused = False
    _streaming = False  # the response's head was passed on, and its body is still coming
    _over = False
    _metering: Metering | None = None

    def __init__(self, client: Front, head: RequestHead, key: Key, rule: str, grant: Grant | None) -> None:
        self.client = client
        self.head = head
        self.key = key
        self.rule = rule
        self.grant = grant
        self.started = time.time()
        self.sent = sent = head.length == 0
        self.response = response = Response(head.method, head.minor, client.send, bool(head.upgrade) and sent)
        if grant is not None:
            response.hides_cookies = grant.may_come_back
            if grant.needles is not None:
                # What was sent with a credential may come back to a request without one, over plain HTTP for instance.
                response.mask(grant.needles, streams=grant.model_api)
        if client.metered:
            self._meter()

    def _meter(self) -> None:
        """Count what a model is asked, if this request asks one."""
        meter = self.client.session.shared.meter
        assert meter is not None
        head, policy = self.head, self.client.session.policy
        self._metering = self.response.observer = meter.begin(
            (policy.id, policy.name, policy.group),
            self.key.host,
            head.method,
            head.target,
            upgrade=bool(head.upgrade),
            lent=self.grant.name if self.grant is not None else "",
            length=max(head.length, 0),
        )

    # The request.

    def start(self, message: bytes, rest: bytes) -> int:
        """Send the rendered head and what has come of the body; returns how many bytes of `rest` were its."""
        used = 0
        if not self.sent:
            self._body = request_framing(self.head.length, self.client.session.shared.credentials.headers)
            if rest:
                try:
                    used = self._body.feed(rest)
                except FramingError as error:
                    self._bad_body(error)
                    return 0
                message += rest[:used]
                self.sent = self._body.done
        self._message = message
        self._send_on()
        return used

    def _send_on(self) -> None:
        """Send what there is of the request, on a connection that is kept or a new one."""
        upstream = self.client.session.shared.pool.take(self.key, safe=self.head.method in _SAFE)
        if upstream is not None:
            self._reused = True
            self._attach(upstream)
        else:
            self._dial()

    def _dial(self) -> None:
        if not self.sent:
            self.client.hold(DIALLING)
        self._dialling = self.client.loop.create_task(self._open())
        self._dialling.add_done_callback(self._dialled)

    def _dialled(self, task: asyncio.Task[None]) -> None:
        """A bug must not leave the client waiting."""
        if not task.cancelled() and task.exception() is not None:
            self._dialling = None
            fix = "logs/proxy.log in clauderon's state directory says how; that is a bug"
            self.fail(Problem(500, "internal", "the proxy failed while connecting", fix))
            task.result()  # for the loop to log

    async def _open(self) -> None:
        session = self.client.session
        try:
            upstream = await session.shared.dialler.open(self.key, session.rules, session.turn)
        except Problem as problem:
            self._dialling = None
            self.fail(problem)
            return
        self._dialling = None
        self._attach(upstream)
        self.client.release(DIALLING)

    def _attach(self, upstream: Upstream) -> None:
        self.upstream = upstream
        upstream.own(self)
        upstream.ticks = 0
        message = self._message
        if upstream.needles is not None:
            self.response.watch(upstream.needles)
        if upstream.via is not None:
            message = absolute_form(message, self.head.host or self._authority(), upstream.via)
        if not self._reused or not self.sent or self.head.method not in _SAFE:
            self._message = b""
        self.up = len(message)
        if self.client.unflushed:
            upstream.hold(PEER)
        upstream.send(message)

    def _authority(self) -> bytes:
        """The host a plain request is for, as a URL has it."""
        host, port = self.key.host, self.key.port
        return (format_authority(host, port) if port != 80 or ":" in host else host).encode()

    def client_data(self, data: memoryview) -> int:
        """More of the request's body; returns how many bytes were its."""
        body = self._body
        assert body is not None
        try:
            used = body.feed(data)
        except FramingError as error:
            self._bad_body(error)
            return len(data)
        upstream = self.upstream
        if upstream is None:
            self._message += bytes(data[:used])
        else:
            upstream.ticks = 0
            self.up += used
            upstream.send(data if used == len(data) else data[:used])
        if body.done:
            self.sent = True
            if self.answered:
                self._complete()
        return used

    def _bad_body(self, error: FramingError) -> None:
        self.fail(Problem.by_policy(400, "bad-body", "http", f"the request's body is malformed: {error}"))

    # The response.

    def upstream_data(self, data: memoryview) -> None:
        """Bytes of the answer."""
        self.client.ticks = 0
        if self.answered:
            # The upstream sent too much. The rest must not become the answer to the client's next request.
            self.response.extra = True
            self._complete()
            return
        try:
            state = self.response.feed(data)
        except ResponseError as error:
            self._broken(error)
            return
        if state == WHOLE:
            if self.sent:
                self._complete()
            else:
                self._answered_early()
        elif state == SWITCHED:
            self._switch()
        elif self.response.status:
            if self._streaming:
                # Nothing else comes with this piece, and a person may read along: it and the next ones go at once.
                self.client.flush()
                self.response.send = self.client.send_now
            self._streaming = True
            self._message = b""

    def _answered_early(self) -> None:
        """The response is whole before the request is. The upstream may still want the rest, or not."""
        self.answered = True
        body = self._body
        waiting = self.head.expects and body is not None and not body.begun
        if waiting or self.response.close or self.response.extra:
            self._complete()

    def client_stopped(self) -> None:
        """The client does not send the rest of a request that was answered."""
        self._complete()

    def _complete(self) -> None:
        """The response is whole, and the request as far as it will be."""
        self._over = True
        upstream, response, sent = self.upstream, self.response, self.sent
        assert upstream is not None
        self.upstream = None
        if not sent or response.close or response.extra or not self.head.minor or upstream.unflushed:
            upstream.owner = None
            upstream.abort()
        else:
            upstream.release(PEER)
            self.client.session.shared.pool.put(upstream)
        self.record("request", error="credential-echo" if response.echoed else None)
        self.client.exchange_done(response.close or self.head.close or not sent, unread=not sent)

    def _switch(self) -> None:
        """101: from here on the two sides speak another protocol, and we only pass bytes."""
        upstream, response = self.upstream, self.response
        assert upstream is not None
        self._over = True
        self.upstream = None
        client = self.client
        if self._metering is None:
            tunnel = Tunnel(client, upstream, self._record_upgrade)
        else:
            tunnel = ModelTunnel(client, upstream, self._record_upgrade, self._metering)
        tunnel.up, tunnel.down = self.up, response.passed
        if response.rest:
            tunnel.upstream_data(response.rest)
        client.exchange_upgraded()

    def _record_upgrade(self, up: int, down: int, error: str | None) -> None:
        self.up, self.response.passed = up, down
        self.record("upgrade", error=error, upgrade=self.head.upgrade.decode("ascii", "replace"))

    # What goes wrong.

    def upstream_ended(self, clean: bool) -> None:
        """The upstream sends no more. `clean`: by TLS's own goodbye, or without TLS."""
        upstream, response = self.upstream, self.response
        assert upstream is not None
        if self.answered:
            self._complete()
            return
        if response.until_close:
            try:
                response.end()
            except ResponseError as error:
                self._broken(error)
                return
            self._over = True
            self.upstream = upstream.owner = None
            upstream.close()
            self.record("request", error="credential-echo" if response.echoed else None)
            # TLS that ends without a goodbye may have been cut. Then the client gets no goodbye either.
            self.client.exchange_done(True, unread=not self.sent, abrupt=not clean)
            return
        upstream.abort()
        self.upstream_lost(None)

    def upstream_lost(self, error: Exception | None) -> None:
        """The upstream's connection is gone."""
        upstream, response = self.upstream, self.response
        assert upstream is not None
        if self.answered:
            self._complete()
            return
        upstream.owner = None
        self.upstream = None
        if self._reused and self._message and not response.begun:
            # The idle connection was closed. This request may be sent twice (RFC 9110 9.2.2), so a new one is used.
            self._reused = False
            self._dial()
            return
        how = "inside its response's head" if response.begun else "without an answer"
        self.fail(Problem(502, "upstream-reset", f"{self.key.host} closed the connection {how}", "try again"))

    def _broken(self, error: ResponseError) -> None:
        """The upstream's response makes no sense, or must not pass."""
        refused = bool(error.rule)
        fix = HTTP2_FIX.format(self.key.host) if error.code == "upstream-http2" else ""
        what = f"{self.key.host} sent {error}"
        self.fail(Problem(502, error.code, what, fix, refused, error.rule, hushed=True))

    def fail(self, problem: Problem) -> None:
        """Answer the client ourselves, or cut the response if it has begun."""
        if self._over:
            return
        if self.answered:
            self._complete()
            return
        self._over = True
        self._drop_upstream()
        if self.response.status:
            self.record("request", problem=problem)
            self.client.exchange_cut(self)
        else:
            self.response.status = problem.status
            self.record("request", problem=problem)
            self.client.exchange_failed(self, problem)

    def client_gone(self) -> None:
        """The client left: so does its request, at once."""
        if self._over:
            return
        self._over = True
        self._drop_upstream()
        self.record("request", error="client-left")

    def _drop_upstream(self) -> None:
        if self._dialling is not None:
            self._dialling.cancel()
            self._dialling = None
        if self.upstream is not None:
            self.upstream.owner = None
            self.upstream.abort()
            self.upstream = None

    # Flow control.

    def upstream_blocked(self) -> None:
        """The upstream reads slower than we write: stop reading from the client."""
        self.client.hold(PEER)

    def upstream_flushed(self) -> None:
        """The upstream has read everything: go on reading from the client."""
        self.client.release(PEER)

    def client_blocked(self) -> None:
        """The client reads slower than we write: stop reading from the upstream."""
        if self.upstream is not None:
            self.upstream.hold(PEER)

    def client_flushed(self) -> None:
        """The client has read everything: go on reading from the upstream."""
        if self.upstream is not None:
            self.upstream.release(PEER)

    def record(
        self,
        kind: str,
        *,
        problem: Problem | None = None,
        error: str | None = None,
        upgrade: str | None = None,
    ) -> None:
        """Write the request's line in the audit. `kind` as in docs/proxy.md."""
        head, grant, key, response = self.head, self.grant, self.key, self.response
        session = self.client.session
        if self._metering is not None:
            whole = problem is None and error in (None, "credential-echo")
            self._metering.end(whole, self.up, reached=problem is None)
        session.counters.requests += 1
        policy = session.rules.policy
        rule, refused = self.rule, False
        if problem is not None:
            refused = problem.refused
            if refused:
                rule = problem.rule or problem.code
            else:
                error = problem.code
        lent = grant.name if grant is not None and grant.value is not None and key.secure else None
        if grant is not None and grant.lease is not None and lent and response.status == 401:
            self._refused(grant, grant.lease, problem)
        started = self.started
        duration = time.time() - started
        fields = (
            started, kind, policy.id, policy.name, key.host, key.port, head.method.decode("ascii"),
            audit_path(head.target), response.status, self.up, response.passed, duration if duration > 0 else 0.0,
            rule, lent, refused, upgrade, error,
        )  # fmt: skip
        session.note(AuditRecord._make(fields))

    def _refused(self, grant: Grant, lease: Lease, problem: Problem | None) -> None:
        """A host takes the token for ended, whatever our clock says."""
        if problem is None and grant.is_lent_at(self.head.target):
            lease.refused()
