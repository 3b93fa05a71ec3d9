"""Stands in for a running proxy service at its lock and its control socket: for replays, with nothing to proxy."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Iterator, Mapping

import clauderon
from clauderon.paths import Home
from clauderon.proxy.daemon import lockfile, unix_socket
from clauderon.proxy.status import ServiceStatus


def running_status(home: Home, port: int, held: Mapping[str, str]) -> ServiceStatus:
    """What a service without sessions says of itself."""
    return ServiceStatus(
        version=clauderon.__version__,
        pid=os.getpid(),
        supervisor_pid=os.getpid(),
        home=str(home.root),
        port=port,
        started_at=1709294400.0,
        worker_started_at=1709294400.0,
        restarts=0,
        held=dict(held),
        lacking=(),
        problems=(),
        listeners=(),
        ca_fingerprint="",
        ca_not_after=4102444800.0,
        audit_dropped=0,
        audit_problem="",
        sessions=(),
    )


class ControlStandIn:
    """asked: the request lines that came, in order."""

    def __init__(self, listener: socket.socket, status: ServiceStatus) -> None:
        self._listener = listener
        self._status = status
        self.asked: list[str] = []

    @classmethod
    @contextlib.contextmanager
    def serving(cls, home: Home, *, held: Mapping[str, str], port: int = 3030) -> Iterator[ControlStandIn]:
        """Serve until the block ends. held: the credentials it pretends to have, name to origin."""
        status = running_status(home, port, held)
        lock = lockfile.acquire(home)
        assert lock is not None
        lock.write({"pid": os.getpid(), "version": status.version, "held": dict(held)})
        with contextlib.closing(unix_socket.listen(home.control_socket)) as listener:
            listener.setblocking(True)
            control = cls(listener, status)
            thread = threading.Thread(target=control._serve, daemon=True)
            thread.start()
            try:
                yield control
            finally:
                # A thread in accept() does not notice the close; a last connection wakes it.
                with (
                    contextlib.closing(socket.socket(socket.AF_UNIX)) as last,
                    unix_socket.address(home.control_socket) as name,
                ):
                    last.connect(name)
                thread.join()
                home.control_socket.unlink()
                os.close(lock._descriptor)

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection, connection.makefile("rwb") as stream:
                line = stream.readline().decode("latin-1").strip()
                if not line:
                    return
                self.asked.append(line)
                length = 0
                while header := stream.readline().strip():
                    name, _, value = header.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                stream.read(length)
                body = json.dumps({**self._status._asdict(), "sessions": []}, default=list).encode()
                stream.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
                    + f"Content-Length: {len(body)}\r\n\r\n".encode()
                    + body
                )
