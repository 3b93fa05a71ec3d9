"""Ask an issuer for new tokens: one request over verified TLS, every byte of the answer kept as it comes.

Goes the way all of the proxy's own connections go (`connect_to`, `upstream_ca`, the upstream proxy). Prints nothing.

The answer is looked at and left in the kernel until all of it is there. So a second process that holds the connection
(`Line` is forked with all it knows) reads the same answer, if the first is killed at any moment.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Callable

from clauderon.proxy.logins.client import Asking
from clauderon.proxy.net.routes import Routes
from clauderon.proxy.policy.hosts import format_authority

CONNECT_S = 10.0
# Once an issuer was asked, its answer must be waited for: it holds the only token that works from then on.
ANSWER_S = 50.0  # shorter than a client's lock is respected (`locks.STALE_S`)
_MOST_BYTES = 128 * 1024  # encrypted; what the kernel holds for us
_LOOK_S = 0.01
_WAIT_MS = 100
# How the end of the other side's sending is told, where it can be.
_OVER = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)


class Unreachable(Exception):
    """It was not asked: nothing has changed. The text says why."""


class Unanswered(Exception):
    """It was asked, and what it answered never came whole."""


class Line:
    """A connection to an issuer, whose TLS is worked in memory: what arrives stays in the socket."""

    def __init__(self, host: str, raw: socket.socket, context: ssl.SSLContext) -> None:
        self._host = host
        self._raw = raw
        # Nothing is taken out of the socket, so it must have room for the whole of an answer.
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2 * _MOST_BYTES)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=host)
        self._handshake()

    def close(self) -> None:
        self._raw.close()

    def written(self, asking: Asking) -> bytes:
        """The request, encrypted, for `send`. From now on its answer is waited for, by both of two who share this."""
        self._deadline = time.monotonic() + ANSWER_S
        head = (
            f"POST {asking.path} HTTP/1.1\r\nHost: {asking.host}\r\nAccept: application/json\r\n"
            f"Accept-Encoding: identity\r\nUser-Agent: clauderon\r\nConnection: close\r\n"
            f"Content-Type: {asking.content_type}\r\nContent-Length: {len(asking.body)}\r\n\r\n"
        )
        self._tls.write(head.encode() + asking.body)
        return self._out.read()

    def send(self, request: bytes) -> None:
        """Raises Unanswered: some of it may have arrived."""
        try:
            self._raw.sendall(request)
        except OSError as error:
            raise Unanswered(f"{self._host} did not answer: {str(error).lower()}") from None

    def answer(self, is_whole: Callable[[bytes], bool]) -> bytes:
        """All that it answers, up to its end or until it is whole; nothing of it is taken out of the socket.

        Raises Unanswered.
        """
        poll = select.poll()
        poll.register(self._raw, select.POLLIN | _OVER)
        answer, fed = b"", 0
        try:
            while (events := poll.poll(_WAIT_MS)) or time.monotonic() < self._deadline:
                if not events:
                    continue
                over = any(event & _OVER for _, event in events)
                there = self._raw.recv(_MOST_BYTES, socket.MSG_PEEK)
                self._in.write(there[fed:])
                grown, fed = len(there) > fed, len(there)
                piece, ended = self._decrypted()
                answer += piece
                if ended or over or not there or (grown and is_whole(answer)):
                    if answer:
                        return answer
                    raise Unanswered(f"{self._host} did not answer: it ended the connection")
                if fed >= _MOST_BYTES:
                    raise Unanswered(f"{self._host} answers without end")
                if not grown:
                    if time.monotonic() >= self._deadline:
                        break
                    time.sleep(_LOOK_S)
        except OSError as error:
            if answer:
                return answer
            raise Unanswered(f"{self._host} did not answer: {str(error).lower()}") from None
        raise Unanswered(f"{self._host} did not answer: timed out")

    def _decrypted(self) -> tuple[bytes, bool]:
        """What the bytes so far say, and whether the issuer has said goodbye. Raises ssl.SSLError."""
        said = b""
        while True:
            try:
                piece = self._tls.read(65536)
            except ssl.SSLWantReadError:
                return said, False
            except ssl.SSLZeroReturnError:
                return said, True
            if not piece:
                return said, True
            said += piece

    def _handshake(self) -> None:
        """Raises OSError."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                data = self._raw.recv(65536)
                if not data:
                    raise OSError("it ended the connection") from None
                self._in.write(data)
            else:
                self._flush()
                return

    def _flush(self) -> None:
        if self._out.pending:
            self._raw.sendall(self._out.read())


def connected(asking: Asking, routes: Routes) -> Line:
    """A connection to the issuer, on which nothing has been said. Raises Unreachable."""
    target = routes.targets.dial(asking.host, 443)
    proxy = None if target.named else routes.proxy_for(True, asking.host, 443)
    host, port = (target.host, target.port) if proxy is None else (proxy.host, proxy.port)
    raw: socket.socket | None = None
    try:
        raw = socket.create_connection((host, port), CONNECT_S)
        if proxy is not None:
            _tunnel(raw, format_authority(asking.host, 443), proxy.authorization)
        return Line(asking.host, raw, routes.context)
    except (OSError, UnicodeError) as error:
        if raw is not None:
            raw.close()
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
        raise Unreachable(f"{asking.host} cannot be reached: {str(reason).lower()}") from None


def _tunnel(raw: socket.socket, authority: str, authorization: bytes) -> None:
    """Through an upstream proxy. Raises OSError."""
    head = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n".encode()
    if authorization:
        head += b"Proxy-Authorization: " + authorization + b"\r\n"
    raw.sendall(head + b"\r\n")
    answer = b""
    while b"\r\n\r\n" not in answer:
        piece = raw.recv(1)  # what follows is the issuer's
        if not piece or len(answer) > 16384:
            raise OSError("the upstream proxy did not open a tunnel")
        answer += piece
    status = answer.split(b" ", 2)[1:2]
    if status != [b"200"]:
        raise OSError("the upstream proxy refused a tunnel")
