"""A client's connection to a port of ours: whose turn it is to read, and which request comes next."""

from __future__ import annotations

import asyncio
import re
import ssl

from clauderon.proxy.dataplane import intercept, judge, leasing, passthrough, refusals, timeouts
from clauderon.proxy.dataplane.exchange import DIALLING, Exchange
from clauderon.proxy.dataplane.gated import GatedExchange
from clauderon.proxy.dataplane.ruling import Ask, Forward, Held, Intercept, Page, Passthrough, Ruling, Wait
from clauderon.proxy.dataplane.session import Session
from clauderon.proxy.dataplane.timeouts import BUSY, HEAD, RAW, TLS
from clauderon.proxy.dataplane.tunnel import PEER, Tunnel
from clauderon.proxy.http.fields import CRLF, END, MAX_HEAD, HeadError
from clauderon.proxy.http.problem import H2_GOAWAY, Problem, render
from clauderon.proxy.http.request import RequestHead, parse_request
from clauderon.proxy.net.upstream import Key
from clauderon.proxy.net.wire import Wire
from clauderon.proxy.policy.addresses import canonical_address
from clauderon.proxy.policy.rules import Rules, Verdict

PIPELINE = 4  # the reason for not reading: enough requests are waiting
_PIPELINED = 64 * 1024
_EMPTY = re.compile(rb"\A(?:\r\n)+")
_BEGINS = re.compile(
    rb"\r|[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}(?: [^\r\n]*(?:(?<= HTTP/[0-9]\.[0-9])\r(?:\n.*)?)?)?", re.DOTALL
)


class Client(Wire):
    """One client connection. `host` is empty until a CONNECT made it a tunnel to that host and `port`."""

    __slots__ = (
        "agreed", "exchange", "host", "judged_by", "key", "metered", "mode", "pending", "port", "running", "session",
        "sni", "source", "trying", "tunnel", "verdict",
    )  # fmt: skip

    def __init__(self, loop: asyncio.AbstractEventLoop, session: Session) -> None:
        super().__init__(loop, session.shared.pool.outbox)
        self.session = session
        self.turn = session.turn
        self.mode = HEAD
        self.running = False  # `_run` is on the stack
        self.pending: bytes | bytearray = b""
        self.exchange: Exchange | None = None
        self.tunnel: Tunnel | None = None
        self.host = ""
        self.port = 0
        self.key: Key  # set with `host`
        self.sni = ""  # a server name in the handshake that is not `host`
        # What the judge remembers of the tunnel.
        self.agreed: bytes | None = None
        self.judged_by: Rules | None = None
        self.metered = False
        self.verdict: Verdict
        self.source = ""
        self.trying: asyncio.Task[None] | None = None

    # The wire's events.

    def connected(self) -> None:
        self.session.joined(self)
        peer = self.transport.get_extra_info("peername")
        self.source = canonical_address(peer[0]) if peer else ""
        problem = judge.connection_problem(self)
        if problem is not None:
            self.refuse(problem, None)

    def received(self, data: memoryview) -> None:
        mode = self.mode
        if mode == HEAD:
            if self.pending:
                self._more(data)
            else:
                self._run(bytes(data))
        elif mode == BUSY:
            self.ticks = 0
            exchange = self.exchange
            if exchange is not None and not exchange.sent:
                used = exchange.client_data(data)
                if used == len(data):
                    return
                data = data[used:]
            if self.mode == HEAD:
                self._run(bytes(data))
            elif not self.closed:
                self._keep(data)
        elif mode == RAW:
            self.ticks = 0
            if self.tunnel is not None:
                self.tunnel.client_data(data)
        else:
            self._intercept(bytes(data))

    def _intercept(self, first: bytes) -> None:
        """A handshake is dear: it waits for its turn."""
        if self._outbox.contended and self.wait_if_over():
            self.pending = bytes(self.pending) + first
        else:
            intercept.begin(self, first)

    def resume(self) -> None:
        super().resume()
        pending = bytes(self.pending)
        if not pending or self.closed or self.running or self.mode not in (HEAD, TLS):
            return
        self.pending = b""
        if self.mode == HEAD:
            self._run(pending, resumed=True)
        else:
            intercept.begin(self, pending)

    def _more(self, data: memoryview) -> None:
        """The next piece of a head that came in several."""
        pending = self.pending if type(self.pending) is bytearray else bytearray(self.pending)
        before = max(0, len(pending) - 3)
        pending += data
        self.pending = pending
        if pending.find(END, before) >= 0 or pending[:2] == CRLF:
            self.pending = b""
            self._run(bytes(pending))
        else:
            self._check_start(pending)

    def _keep(self, data: memoryview | bytes) -> None:
        self.pending = bytes(self.pending) + bytes(data)
        if len(self.pending) > _PIPELINED:
            self.hold(PIPELINE)

    def _run(self, data: bytes, *, resumed: bool = False) -> None:
        """Handle the requests in `data`, one after the other, until one has to wait. resumed: the first has waited."""
        self.running = True
        while True:
            if data[:2] == CRLF:
                data = _EMPTY.sub(b"", data, 1)  # RFC 9112 2.2: empty lines before a request are ignored
            end = data.find(END)
            if end < 0 or end > MAX_HEAD:
                self.pending = data
                if data:
                    self.ticks = 0
                    self._check_start(data)
                break
            if self._outbox.contended and not resumed and self.wait_if_over():
                self.pending = data
                break
            resumed = False
            end += 4
            whole = end == len(data)
            self.pending = b"" if whole else data[end:]
            self.mode = BUSY
            self.ticks = 0
            try:
                head = parse_request(data if whole else data[:end], self.session.shared.table)
            except HeadError as error:
                self._bad_head(data, error)
                break
            try:
                ruling = judge.tunnelled(self, head) if self.host else judge.proxied(self, head)
            except Problem as problem:
                refusals.record_request(self, head, problem)
                self.refuse(problem, head)
            else:
                self._act(head, ruling)
            if self.mode != HEAD or self.closed:
                break
            data = bytes(self.pending)
            self.pending = b""
        self.running = False

    def _act(self, head: RequestHead, ruling: Ruling) -> None:
        if isinstance(ruling, Forward):
            message, key, rule, grant = ruling
            self.exchange = exchange = Exchange(self, head, key, rule, grant)
            pending = self.pending
            used = exchange.start(message, bytes(pending) if pending else b"")
            if used and self.exchange is exchange:
                self.pending = pending[used:]
        elif isinstance(ruling, Held):
            message, key, rule, grant = ruling.forward
            self.exchange = exchange = GatedExchange(self, head, key, rule, grant, ruling.gate)
            pending, self.pending = bytes(self.pending), b""
            used = exchange.start(message, pending)
            if self.exchange is exchange:
                self.pending = pending[used:]
        elif isinstance(ruling, Intercept):
            self._open_tunnel(ruling.host, ruling.port)
        elif isinstance(ruling, Passthrough):
            passthrough.open_tunnel(self, head, ruling.host, ruling.port, ruling.rule)
        elif isinstance(ruling, (Ask, Wait)):
            leasing.begin(self, head, ruling)
        else:
            self.answer(ruling, head)

    def judge_again(self, head: RequestHead) -> None:
        """A request that has waited, with what has come of its body meanwhile."""
        try:
            ruling = judge.tunnelled(self, head)
            if isinstance(ruling, Wait):
                raise Problem(
                    503, "login-ended", "the login's token ended while it was being renewed", "try again"
                )
        except Problem as problem:
            refusals.record_request(self, head, problem)
            self.refuse(problem, head)
        else:
            self._act(head, ruling)
            self.release(PIPELINE)

    def _check_start(self, data: bytes | bytearray) -> None:
        """Refuse at once what cannot become a request, instead of waiting for more of it."""
        if len(data) > MAX_HEAD:
            self.refuse(Problem(431, "head-too-large", f"a head of more than {MAX_HEAD} bytes"), None)
        elif _BEGINS.fullmatch(data, 0, 4096) is None:
            self._bad_head(bytes(data[:64]), HeadError(400, "what came is not an HTTP/1.1 request"))

    def _bad_head(self, data: bytes, error: HeadError) -> None:
        if data.startswith(b"PRI * HTTP/2"):
            what = "the client speaks HTTP/2 without being offered it"
            self.record(Problem.by_policy(505, "not-http1", "http", what))
            self.send(H2_GOAWAY)
            self.finish()
            return
        fix = f"if {self.host} must not be intercepted, add it to [proxy] passthrough" if self.host else ""
        self.refuse(Problem.by_policy(error.status, "bad-request", "http", str(error), fix), None)

    # Tunnels.

    def _open_tunnel(self, host: str, port: int) -> None:
        """Accept a CONNECT; what follows must be TLS."""
        self.host, self.port = host, port
        self.key = Key(self.session.policy.id, True, host, port)
        self.mode = TLS
        self.ticks = 0
        counters = self.session.counters
        counters.tunnels += 1
        counters.open_tunnels += 1
        self.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        if self.pending:
            first, self.pending = bytes(self.pending), b""
            self._intercept(first)

    def secured(self) -> None:
        self.mode = HEAD
        self.ticks = 0

    def insecure(self, error: Exception) -> None:
        reason = getattr(error, "reason", None) or str(error)
        self.record(Problem(0, "client-tls", f"{reason}"))
        self.finish()

    def join(self, tunnel: Tunnel) -> None:
        """Be a raw tunnel from now on."""
        self.tunnel = tunnel
        self.mode = RAW
        self.ticks = 0

    def flush_pending(self) -> None:
        """Pass on what the client sent before its tunnel was open."""
        pending, self.pending = bytes(self.pending), b""
        self.release(PIPELINE)
        if pending and self.tunnel is not None:
            self.tunnel.client_data(pending)

    # Exchanges.

    def exchange_done(self, final: bool, *, unread: bool = False, abrupt: bool = False) -> None:
        """The response was passed on whole."""
        self.exchange = None
        if abrupt:
            self.close(goodbye=False)
        elif unread:
            self.finish()
        elif final or self.session.draining:
            self.close()
        else:
            self._next()

    def _next(self) -> None:
        self.ticks = 0
        if self.unflushed:
            # Busy until this client has read what it was sent: pipelined requests must not pile up answers.
            return
        self.mode = HEAD
        if self._held:
            self.release(PEER | DIALLING | PIPELINE)
        if self.pending and not self.running:
            data, self.pending = bytes(self.pending), b""
            self._run(data)

    def exchange_failed(self, exchange: Exchange, problem: Problem) -> None:
        self.exchange = None
        self._answer(problem, exchange.head, unread=not exchange.sent)

    def exchange_cut(self, exchange: Exchange) -> None:
        """The response ends before its time, and the client must be able to tell."""
        self.exchange = None
        self.pending = b""
        if exchange.response.until_close:
            self.abort()  # only a reset tells
        else:
            self.close(goodbye=False)

    def exchange_upgraded(self) -> None:
        self.exchange = None
        self.flush_pending()

    def refuse(self, problem: Problem, head: RequestHead | None) -> None:
        """Answer a request that goes nowhere; without `head` also record the connection."""
        if head is None:
            self.record(problem)
        self._answer(problem, head, unread=head is None or head.length != 0)

    def record(self, problem: Problem) -> None:
        """Audit the connection, from which no request was understood."""
        refusals.record_connection(self, problem)

    def answer(self, page: Page, head: RequestHead) -> None:
        """Answer 200 ourselves, and read nothing more."""
        fields = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n" % (
            page.kind,
            len(page.body),
        )
        self.send(fields + b"Connection: close\r\n\r\n" + (b"" if head.method == b"HEAD" else page.body))
        self.pending = b""
        self.finish()

    def _answer(self, problem: Problem, head: RequestHead | None, *, unread: bool) -> None:
        close = unread or head is None or head.close or self.session.draining or head.method == b"CONNECT"
        method = head.method if head is not None else b"GET"
        shape = refusals.shape(self, head) if head is not None else ""
        self.send(render(refusals.completed(problem), method=method, shape=shape, close=close))
        if close:
            self.pending = b""
            self.finish()
        else:
            self._next()

    # The end.

    def ended(self, clean: bool) -> None:
        if self.tunnel is not None:
            self.tunnel.client_ended(clean)
            return
        self._left()
        self.close()

    def lost(self, error: Exception | None) -> None:
        if self.tunnel is not None:
            self.tunnel.client_lost(error)
        elif isinstance(error, ssl.SSLError):
            self.record(Problem(0, "client-tls", error.reason or str(error)))
        self._left()

    def _left(self) -> None:
        self.pending = b""
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.client_gone()
        if self.trying is not None:
            self.trying.cancel()
            self.trying = None

    @property
    def idle(self) -> bool:
        """Between requests, with none begun."""
        return self.mode == HEAD and not self.pending

    def tick(self) -> None:
        """A sweep counted `ticks` up."""
        timeouts.tick(self)

    def drop(self) -> None:
        """End at once, whatever is going on."""
        if self.closed:
            self.expire()
            return
        if self.tunnel is not None:
            self.tunnel.over("closed")
        self._left()
        self.abort()

    def not_tls(self, problem: Problem) -> None:
        """End a tunnel whose handshake never came; in words if there is still a way to say them."""
        if self._tls is None:
            self.refuse(problem, None)
        else:
            self.record(problem)
            self.abort()

    def blocked(self) -> None:
        if self.exchange is not None:
            self.exchange.client_blocked()
        elif self.tunnel is not None:
            self.tunnel.client_blocked()

    def flushed(self) -> None:
        if self.exchange is not None:
            self.exchange.client_flushed()
        elif self.tunnel is not None:
            self.tunnel.client_flushed()
        elif self.mode == BUSY and self.trying is None:
            self._next()

    def gone(self) -> None:
        self.session.parted(self)
        if self.host:
            self.session.counters.open_tunnels -= 1
