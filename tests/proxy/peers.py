"""Bytes on a connection: its two ends, servers that do as they are told, and the messages that most tests send."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

from tests.proxy.tls_socket import TlsSocket

DEADLINE_S = 30.0


class Peer:
    """One end of a connection, with bytes as tests like them."""

    def __init__(self, sock: socket.socket | TlsSocket) -> None:
        self.sock: Any = sock
        self.sock.settimeout(DEADLINE_S)
        self.buffer = b""
        self.seen = bytearray()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def fill(self) -> bool:
        """Read once more; False at the end."""
        try:
            data = self.sock.recv(256 * 1024)
        except (ssl.SSLEOFError, ConnectionResetError, BrokenPipeError):
            data = b""
        self.buffer += data
        self.seen += data
        return bool(data)

    def until(self, mark: bytes) -> bytes:
        """Everything up to and with `mark`; raises EOFError if it does not come."""
        while mark not in self.buffer:
            if not self.fill():
                raise EOFError(bytes(self.buffer))
        at = self.buffer.index(mark) + len(mark)
        found, self.buffer = self.buffer[:at], self.buffer[at:]
        return found

    def exactly(self, count: int) -> bytes:
        while len(self.buffer) < count:
            if not self.fill():
                raise EOFError(bytes(self.buffer[:200]))
        found, self.buffer = self.buffer[:count], self.buffer[count:]
        return found

    def rest(self) -> bytes:
        while self.fill():
            pass
        found, self.buffer = self.buffer, b""
        return found

    def head(self) -> bytes:
        return self.until(b"\r\n\r\n")

    def chunked(self) -> bytes:
        """A chunked body as it is on the wire, with its trailer."""
        body = b""
        while True:
            line = self.until(b"\r\n")
            body += line
            size = int(line.split(b";")[0], 16)
            if size:
                body += self.exactly(size + 2)
                continue
            while True:
                trailer = self.until(b"\r\n")
                body += trailer
                if trailer == b"\r\n":
                    return body

    def message(self, *, bodiless: bool = False) -> tuple[bytes, bytes]:
        """Head and body of one message, both as on the wire."""
        head = self.head()
        answer = head.startswith(b"HTTP/")
        if bodiless or (answer and (head[9:12] in (b"204", b"304") or head[9:10] == b"1")):
            return head, b""
        lower = head.lower()
        length = re.search(rb"\r\ncontent-length:[ \t]*(\d+)", lower)
        if b"\r\ntransfer-encoding:" in lower:
            return head, self.chunked()
        if length:
            return head, self.exactly(int(length[1]))
        return head, self.rest() if answer else b""

    def at_end(self) -> bool:
        """Whether the other side has ended and nothing is left."""
        return not self.buffer and not self.fill()

    def close(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        """Close so that the peer gets a reset."""
        raw = getattr(self.sock, "raw", self.sock)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        raw.close()


Handler = Callable[[Peer], None]


class Upstream:
    """A server that runs `handler` for each connection and remembers every byte it was sent."""

    def __init__(self, handler: Handler, context: ssl.SSLContext | None) -> None:
        self.handler = handler
        self.context = context
        self.peers: list[Peer] = []
        self.errors: list[Exception] = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self.listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            sock.settimeout(DEADLINE_S)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.context is not None:
                peer = Peer(TlsSocket(sock, self.context, server_side=True))
            else:
                peer = Peer(sock)
            self.peers.append(peer)
            self.handler(peer)
        except (EOFError, OSError):
            pass
        except Exception as error:  # noqa: BLE001, told at the end of the test
            self.errors.append(error)
        finally:
            with contextlib.suppress(OSError):
                sock.close()

    @property
    def seen(self) -> bytes:
        return b"".join(bytes(peer.seen) for peer in self.peers)

    def close(self) -> None:
        self.listener.close()
        for peer in self.peers:
            with contextlib.suppress(OSError):
                peer.close()


def answering(response: bytes, *, requests: int = 1000) -> Handler:
    """A handler that reads requests and answers each with the same bytes."""

    def handle(peer: Peer) -> None:
        for _ in range(requests):
            peer.message()
            peer.send(response)

    return handle


GET = b"GET / HTTP/1.1\r\nHost: api.test\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def closed_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
