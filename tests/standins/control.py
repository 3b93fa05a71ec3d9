"""Answers on `proxy.sock` as a running proxy service does: for replays, where there is nothing to proxy."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator

from clauderon.paths import Home


class ControlStandIn:
    """asked: the request lines that came, in order."""

    def __init__(self, listener: socket.socket, status: dict[str, object]) -> None:
        self._listener = listener
        self._status = status
        self.asked: list[str] = []

    @classmethod
    @contextlib.contextmanager
    def serving(cls, home: Home, status: dict[str, object] | None = None) -> Iterator[ControlStandIn]:
        """Serve until the block ends. status: what `GET /status` says."""
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as listener:
            listener.bind(str(home.control_socket))
            listener.listen(16)
            control = cls(listener, status or {"ok": True})
            thread = threading.Thread(target=control._serve, daemon=True)
            thread.start()
            try:
                yield control
            finally:
                # A thread in accept() does not notice the close; a last connection wakes it.
                with contextlib.closing(socket.socket(socket.AF_UNIX)) as last:
                    last.connect(str(home.control_socket))
                thread.join()
                home.control_socket.unlink()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection, connection.makefile("rwb") as stream:
                line = stream.readline().decode("latin-1").strip()
                if not line:
                    return
                self.asked.append(line)
                length = 0
                while (header := stream.readline().strip()) not in (b"",):
                    name, _, value = header.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                stream.read(length)
                body = json.dumps(self._status).encode()
                stream.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
                    + f"Content-Length: {len(body)}\r\n\r\n".encode()
                    + body
                )
