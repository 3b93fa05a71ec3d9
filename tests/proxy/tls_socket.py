"""A blocking TLS socket that one thread may read while another writes.

The standard library's may not be used so: before Python 3.13 it hands one OpenSSL object to both without a lock.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from typing import Any


class TlsSocket:
    """What tests need of `ssl.SSLSocket`, over memory BIOs and a lock."""

    def __init__(
        self,
        sock: socket.socket,
        context: ssl.SSLContext,
        *,
        server_hostname: str | None = None,
        session: ssl.SSLSession | None = None,
        server_side: bool = False,
        first: bytes = b"",
    ) -> None:
        self.raw = sock
        self.suppress_ragged_eofs = True
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._incoming.write(first)
        self.tls = context.wrap_bio(
            self._incoming,
            self._outgoing,
            server_side=server_side,
            server_hostname=server_hostname,
            session=session,
        )
        try:
            self._step(self.tls.do_handshake)
        except BaseException:
            self._flush()
            raise

    def _step(self, function: Any, *args: Any) -> Any:
        """Run a TLS operation until it no longer wants to read."""
        while True:
            with self._lock:
                try:
                    result = function(*args)
                    break
                except ssl.SSLWantReadError:
                    pass
            self._flush()
            data = self.raw.recv(256 * 1024)
            with self._lock:
                if data:
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()
        self._flush()
        return result

    def _flush(self) -> None:
        """Send what a read gave rise to; if another thread is sending, it goes along with that."""
        if not self._outgoing.pending or not self._sending.acquire(blocking=False):
            return
        try:
            with self._lock:
                data = self._outgoing.read()
            self.raw.sendall(data)
        finally:
            self._sending.release()

    def sendall(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self.send(view[:65536]) :]

    def send(self, data: bytes | memoryview) -> int:
        if not data:
            return 0
        with self._sending:
            with self._lock:
                sent: int = self.tls.write(data)
                wire = self._outgoing.read()
            self.raw.sendall(wire)
        return sent

    def recv(self, size: int) -> bytes:
        try:
            return bytes(self._step(self.tls.read, size))
        except ssl.SSLZeroReturnError:
            return b""
        except ssl.SSLError as error:
            # Python 3.11.2 has no SSLEOFError for what OpenSSL 3 says of a cut connection.
            if not isinstance(error, ssl.SSLEOFError) and error.reason != "UNEXPECTED_EOF_WHILE_READING":
                raise
            if self.suppress_ragged_eofs:
                return b""
            raise ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "cut") from error

    def unwrap(self) -> socket.socket:
        """Say goodbye and wait for the peer's."""
        with contextlib.suppress(ssl.SSLError, OSError):
            self._step(self.tls.unwrap)
        return self.raw

    @property
    def session(self) -> ssl.SSLSession | None:
        return self.tls.session

    @property
    def session_reused(self) -> bool | None:
        return self.tls.session_reused

    def getpeercert(self) -> Any:
        return self.tls.getpeercert()

    def selected_alpn_protocol(self) -> str | None:
        return self.tls.selected_alpn_protocol()

    def settimeout(self, seconds: float) -> None:
        self.raw.settimeout(seconds)

    def setsockopt(self, *args: Any) -> None:
        self.raw.setsockopt(*args)

    def shutdown(self, how: int) -> None:
        self.raw.shutdown(how)

    def close(self) -> None:
        """As a program that ends does: a goodbye if it can be sent, then closed."""
        self.raw.close()
