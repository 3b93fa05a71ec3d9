"""Messages and descriptors between supervisor and worker, over a socket pair. Mechanism only.

A message is a JSON object behind its length; descriptors travel in the order of the messages that name them.
"""

from __future__ import annotations

import array
import json
import os
import socket
import struct
from collections.abc import Sequence
from typing import Any

_LENGTH = struct.Struct("!I")
# The kernel takes 253 descriptors a message (SCM_MAX_FD).
FDS_PER_MESSAGE = 200
SEND_TIMEOUT_S = 10.0
_CLOEXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)

Message = dict[str, Any]


class Closed(ConnectionError):
    """The other side is gone."""


class Channel:
    """One end. Sending blocks for as long as the other side does not read, `SEND_TIMEOUT_S` at most."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._buffer = bytearray()
        self._fds: list[int] = []

    def fileno(self) -> int:
        """The socket's descriptor, for a loop to watch."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the socket and every descriptor that came through it and was not taken."""
        self._socket.close()
        for descriptor in self._fds:
            os.close(descriptor)
        self._fds.clear()

    def send(self, operation: str, fds: Sequence[int] = (), **fields: Any) -> None:
        """Raises Closed if the other side is gone or does not read."""
        body = json.dumps({"op": operation, "fds": len(fds), **fields}).encode()
        data = _LENGTH.pack(len(body)) + body
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self._socket.settimeout(SEND_TIMEOUT_S)
        try:
            sent = self._socket.sendmsg([data], rights)
            if sent < len(data):
                self._socket.sendall(data[sent:])
        except OSError as error:
            raise Closed(str(error)) from error

    def receive_hello(self) -> tuple[Message, dict[str, int]]:
        """What a worker is told first, with the sockets held for it by name. Waits without end; raises Closed."""
        held: dict[str, int] = {}
        while True:
            for message, descriptors in self.receive(None):
                if message["op"] == "held":
                    held.update(zip(message["names"], descriptors, strict=True))
                elif message["op"] == "hello":
                    return message, held

    def receive(self, timeout_s: float | None = 0.0) -> list[tuple[Message, list[int]]]:
        """What has arrived: messages with their descriptors, perhaps none. None as timeout waits without end.

        Raises Closed at the end of the stream, once everything before it was handed over.
        """
        self._socket.settimeout(timeout_s)
        try:
            data, ancillary, _flags, _address = self._socket.recvmsg(
                1 << 16, socket.CMSG_SPACE(FDS_PER_MESSAGE * 4), _CLOEXEC
            )
        except (BlockingIOError, TimeoutError, InterruptedError):
            return []
        except OSError as error:
            raise Closed(str(error)) from error
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                descriptors = array.array("i")
                descriptors.frombytes(payload[: len(payload) - len(payload) % descriptors.itemsize])
                for descriptor in descriptors:
                    os.set_inheritable(descriptor, False)
                self._fds.extend(descriptors)
        if not data:
            raise Closed("end of stream")
        self._buffer += data
        return self._messages()

    def _messages(self) -> list[tuple[Message, list[int]]]:
        found = []
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                break
            message: Message = json.loads(self._buffer[_LENGTH.size : end])
            del self._buffer[:end]
            count = message["fds"]
            found.append((message, self._fds[:count]))
            del self._fds[:count]
        return found


def pair() -> tuple[Channel, socket.socket]:
    """The supervisor's end, and the worker's as a socket to be inherited."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    return Channel(ours), theirs
