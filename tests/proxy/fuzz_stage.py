"""A client, the data plane and its upstreams in memory, on a loop and transports that are only lists."""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
from collections.abc import Callable, Coroutine
from typing import Any

import httptools

from clauderon.proxy.dataplane import client as client_module
from clauderon.proxy.dataplane import timeouts
from clauderon.proxy.dataplane.client import Client
from clauderon.proxy.dataplane.session import Session, Shared
from clauderon.proxy.http.fields import MAX_HEAD
from clauderon.proxy.http.needles import Needles
from clauderon.proxy.http.problem import Problem
from clauderon.proxy.http.request import request_table
from clauderon.proxy.net.pool import Pool
from clauderon.proxy.net.upstream import Key, Upstream
from clauderon.proxy.policy.grant import Grant
from clauderon.proxy.policy.rules import Targets
from clauderon.proxy.policy.session import SessionPolicy
from clauderon.proxy.secrets.grants import ALWAYS_REMOVED

HEADERS = ALWAYS_REMOVED
TABLE = request_table(HEADERS)
SECRET = b"fuzz-secret-not-real-0001"

REQUESTS = [
    b"GET http://a.test/x?y=1 HTTP/1.1\r\nHost: a.test\r\nAccept: */*\r\n\r\n",
    b"POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello",
    b"POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
    b"GET http://b.test/ HTTP/1.1\r\nHost: b.test\r\nX-Api-Key: mine\r\nConnection: close, x-hop\r\nX-Hop: 1\r\n\r\n",
    b"PUT http://a.test/ HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    b"GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"GET http://a.test/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"OPTIONS http://a.test HTTP/1.1\r\nHost:a.test:80\r\n\r\n",
    b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n",
    b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n\x16\x03\x01\x01\x00\x01\x00\x00\xfc\x03\x03"
    + bytes(251),
]
RESPONSES = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x02hi",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 401 No\r\nContent-Length: 25\r\nX: " + SECRET + b"\r\n\r\n" + SECRET,
]
BITS = [
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\x00", b":", b" ", b"\t", b",", b";", b"0\r\n\r\n", b"chunked", b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Host: c.test\r\n", b"HTTP/1.1", b"\xff", b"Connection: close\r\n", b"ffffffffffffffff",
    b"-1", b"+", b"_", b"X-Api-Key: mine\r\n", b"Upgrade: h2c\r\n", b"/../", b"%00", b"#", b"@", b"[::1]",
]  # fmt: skip


def damaged(rng: random.Random, text: bytes) -> bytes:
    """`text` with up to four small wounds."""
    made = bytearray(text)
    for _ in range(rng.choice((0, 1, 1, 2, 4))):
        at = rng.randrange(len(made) + 1)
        kind = rng.randrange(6)
        if kind == 0:
            made[at:at] = rng.choice(BITS)
        elif kind == 1:
            del made[at : at + rng.choice((1, 1, 2, 8))]
        elif kind == 2 and made:
            made[at % len(made)] = rng.randrange(256)
        elif kind == 3 and made:
            made[at % len(made)] ^= 1 << rng.randrange(8)
        elif kind == 4:
            other = rng.randrange(len(made) + 1)
            made[at:at] = made[min(at, other) : max(at, other)][:40]
        else:
            made[at : at + 1] = rng.choice(BITS)
    return bytes(made)


def pieces(rng: random.Random, text: bytes) -> list[bytes]:
    if rng.random() < 0.4:
        return [text]
    cut, at = [], 0
    while at < len(text):
        size = rng.choice((1, 1, 2, 7, 30, 200))
        cut.append(text[at : at + size])
        at += size
    return cut


class Seen:
    """What llhttp makes of some bytes."""

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.messages = 0
        self.bodies = bytearray()
        self.url = b""

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self.bodies += body

    def on_message_complete(self) -> None:
        self.messages += 1


# The relay in memory.


class Loop:
    """As much of an event loop as the relay uses; nothing here waits."""

    def __init__(self) -> None:
        self.now = 0.0
        self.soon: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []

    def time(self) -> float:
        return self.now

    def call_soon(self, function: Callable[..., Any], *args: Any) -> None:
        self.soon.append((function, args))

    def create_task(self, work: Coroutine[Any, Any, Any]) -> Task:
        return Task(self, work)

    def run(self) -> None:
        for _ in range(10_000):
            if not self.soon:
                return
            function, args = self.soon.pop(0)
            function(*args)
        raise AssertionError("the relay goes round in circles")


class Task:
    """A coroutine that is run to its end, as none of the relay's waits here."""

    def __init__(self, loop: Loop, work: Coroutine[Any, Any, Any]) -> None:
        self.work = work
        self.done = False
        self.callbacks: list[Callable[[Any], None]] = []
        loop.call_soon(self.step)

    def step(self) -> None:
        if self.done:
            return
        self.done = True
        with contextlib.suppress(StopIteration):
            self.work.send(None)

    def add_done_callback(self, _: Callable[[Any], None]) -> None:
        pass

    def cancel(self) -> None:
        self.done = True
        self.work.close()


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self, loop: Loop, protocol: Any) -> None:
        super().__init__()
        self.loop = loop
        self.protocol = protocol
        self.written = bytearray()
        self.gone = False
        self.reading = True
        self.ended = False  # our side sends no more
        self.finished = False  # the other side sends no more
        protocol.connection_made(self)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name == "peername" else default

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: Any) -> None:
        assert not self.ended
        if not self.gone:
            self.written += data

    def write_eof(self) -> None:
        self.ended = True

    def is_closing(self) -> bool:
        return self.gone

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def close(self) -> None:
        self.lose(None)

    abort = close

    def lose(self, error: Exception | None) -> None:
        if not self.gone:
            self.gone = True
            self.loop.call_soon(self.protocol.connection_lost, error)

    def feed(self, data: bytes) -> None:
        """As the loop does: into the protocol's buffer, and tell it."""
        if self.gone or self.finished or not self.reading:
            return
        self.protocol.get_buffer(-1)[: len(data)] = data
        self.protocol.buffer_updated(len(data))
        self.loop.run()

    def eof(self) -> None:
        if not self.gone and not self.finished and self.reading:
            self.finished = True
            if not self.protocol.eof_received():
                self.close()
        self.loop.run()


class Dialler:
    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    async def open(self, key: Key, rules: Any, turn: Any = None, *, raw: bool = False) -> Upstream:
        if self.stage.rng.random() < 0.05:
            raise Problem(502, "upstream-connect", "no")
        wire = Upstream(self.stage.loop, key, self.stage.pool)  # type: ignore[arg-type]
        self.stage.upstreams.append(Transport(self.stage.loop, wire))
        return wire

    def proxy_for(self, key: Key, rules: Any) -> None:
        return None


class Table:
    headers = HEADERS

    def of(self, only: tuple[str, ...] | None, without: tuple[str, ...]) -> Table:
        return self

    def grant(self, host: str, port: int) -> Grant | None:
        return Grant("b", b"x-api-key", SECRET, NEEDLES) if host == "b.test" else None


class Silent:
    def write(self, record: Any) -> None:
        assert SECRET.decode() not in repr(record)


class Leaves:
    """For what comes in a tunnel and begins as a handshake does."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def server_context(self, host: str, *, apart: bool = False) -> ssl.SSLContext:
        if self.rng.random() < 0.5:
            raise ValueError("no")
        return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


class Stage:
    """One client and the upstreams it reaches."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.loop = Loop()
        self.pool = Pool(self.loop)  # type: ignore[arg-type]
        self.upstreams: list[Transport] = []
        shared = Shared(
            leaves=Leaves(rng),
            credentials=Table(),
            audit=Silent(),
            pool=self.pool,
            dialler=Dialler(self),  # type: ignore[arg-type]
            headers=HEADERS,
            table=TABLE,
            health=dict,
        )
        policy = SessionPolicy(
            "s", "s", 1, None, rng.choice(("read-write", "read-only")), None, ("denied.test",)
        )
        self.session = Session(policy, Targets({}, ()), shared)
        self.client = Client(self.loop, self.session)  # type: ignore[arg-type]
        self.near = Transport(self.loop, self.client)

    def step(self) -> None:
        """Something happens somewhere."""
        rng, kind = self.rng, self.rng.random()
        if kind < 0.45:
            for piece in pieces(rng, damaged(rng, rng.choice(REQUESTS))):
                self.near.feed(piece)
        elif kind < 0.9 and self.upstreams:
            for piece in pieces(rng, damaged(rng, rng.choice(RESPONSES))):
                rng.choice(self.upstreams[-3:]).feed(piece)
        elif kind < 0.94 and self.upstreams:
            far = rng.choice(self.upstreams)
            if rng.random() < 0.5:
                far.lose(ConnectionResetError())
            else:
                far.eof()
        elif kind < 0.96:
            for protocol in (self.client, *(far.protocol for far in self.upstreams[-2:])):
                if not protocol.closed:
                    protocol.pause_writing()
                    self.loop.run()
                    protocol.resume_writing()
        elif kind < 0.97:
            self.near.eof()
        else:
            self.loop.now += 20
            self.client.ticks += rng.choice((1, 20, 2000))
            timeouts.tick(self.client)
            self.pool.sweep()
        self.loop.run()
        assert len(self.client.pending) <= MAX_HEAD + client_module._PIPELINED + 1000

    def end(self) -> None:
        self.near.lose(None)
        self.loop.run()
        assert self.client.exchange is None and not self.session.clients
        self.pool.clear()
        self.loop.run()
        for far in self.upstreams:
            assert far.gone or far.protocol.owner is None, "an upstream was left behind"
            _judge(bytes(far.written))


def _judge(wire: bytes) -> None:
    """What an upstream was sent is a row of requests to llhttp too, the last perhaps cut short."""
    if wire.startswith(b"CONNECT"):
        raise AssertionError("a CONNECT reached an upstream")
    seen = Seen()
    try:
        httptools.HttpRequestParser(seen).feed_data(wire)
    except httptools.HttpParserUpgrade:
        return
    except httptools.HttpParserError as error:
        if "method" not in str(error).lower() and "url" not in str(error).lower():
            raise AssertionError(f"llhttp refuses what an upstream was sent: {error}: {wire!r}") from None
        return
    names = [name.lower().replace(b"_", b"-") for name, _ in seen.headers]
    assert b"proxy-authorization" not in names
    assert all(
        value == SECRET for name, value in seen.headers if name.lower() == b"x-api-key" and b"b.test" in wire
    )


NEEDLES = Needles(SECRET.decode())
