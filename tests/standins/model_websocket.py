"""The server side of one WebSocket (RFC 6455), as much as a model API's client needs. No extensions."""

from __future__ import annotations

import base64
import hashlib
import struct
from typing import BinaryIO, Protocol

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA


class Sendable(Protocol):
    def sendall(self, data: bytes, /) -> None: ...


def accept_key(key: str) -> str:
    """The `Sec-WebSocket-Accept` that answers a client's `Sec-WebSocket-Key`."""
    return base64.b64encode(hashlib.sha1(key.encode("ascii") + _GUID).digest()).decode("ascii")


def send(connection: Sendable, payload: bytes, opcode: int = TEXT) -> None:
    """Send one unmasked, unfragmented frame."""
    if len(payload) < 126:
        head = struct.pack("!BB", 0x80 | opcode, len(payload))
    elif len(payload) < 65536:
        head = struct.pack("!BBH", 0x80 | opcode, 126, len(payload))
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 127, len(payload))
    connection.sendall(head + payload)


def receive(stream: BinaryIO, connection: Sendable) -> bytes | None:
    """The next whole message, or None once the client has closed. Pings are answered on the way."""
    message = b""
    while True:
        head = stream.read(2)
        if len(head) < 2:
            return None
        final, opcode, length = head[0] & 0x80, head[0] & 0x0F, head[1] & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", stream.read(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", stream.read(8))
        mask = stream.read(4) if head[1] & 0x80 else b""
        payload = _unmasked(stream.read(length), mask)
        if opcode == CLOSE:
            send(connection, payload[:2], CLOSE)
            return None
        if opcode == PING:
            send(connection, payload, PONG)
        elif opcode != PONG:
            message += payload
            if final:
                return message


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    if not mask:
        return payload
    size = len(payload)
    stream = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(size, "big")
