"""Where the messages of a WebSocket begin and end, seen from outside: the heads of its frames (RFC 6455). Pure.

Reads no payload, so that the client's side, which is masked, costs next to nothing.
"""

from __future__ import annotations

_TEXT, _BINARY = 0x1, 0x2
_WHOLE_MESSAGES = (0x80 | _TEXT, 0x80 | _BINARY)


class Frames:
    """One direction of a WebSocket, fed in any pieces."""

    def __init__(self) -> None:
        self._head = b""
        self._payload = 0  # bytes of the present frame that have not come yet
        self._open = False  # a message has begun and not ended

    @property
    def between(self) -> bool:
        """Whether no frame and no message is under way: something may be put in here."""
        return not self._head and not self._payload and not self._open

    def feed(self, data: bytes | bytearray | memoryview) -> int:
        """How many messages, of text or bytes, begin in this piece."""
        begun, at, size = 0, 0, len(data)
        while at < size:
            if not self._head and not self._payload and data[at] in _WHOLE_MESSAGES:
                whole = frame_size(data, at)
                if 0 < whole <= size - at:
                    begun += 1
                    at += whole
                    self._open = False
                    continue
            if self._payload:
                taken = min(self._payload, size - at)
                self._payload -= taken
                at += taken
                continue
            # A head is 2 to 14 bytes: taken one by one as long as it is short.
            self._head += bytes(data[at : at + 1])
            at += 1
            if len(self._head) < 2 or len(self._head) < _length(self._head[1]):
                continue
            first, second = self._head[0], self._head[1]
            more = {126: 2, 127: 8}.get(second & 0x7F, 0)
            self._payload = int.from_bytes(self._head[2 : 2 + more], "big") if more else second & 0x7F
            self._head = b""
            opcode = first & 0x0F
            if opcode in (_TEXT, _BINARY):
                begun += 1
            if opcode <= _BINARY:
                self._open = not first & 0x80
        return begun


def frame_size(data: bytes | bytearray | memoryview, at: int = 0) -> int:
    """How long the frame is whose head begins at `at`; 0 if its head has not come whole."""
    rest = len(data) - at
    if rest < 2:
        return 0
    second = data[at + 1]
    if second < 126:
        return 2 + second  # as most are
    length, head = second & 0x7F, _length(second)
    if rest < head:
        return 0
    if length == 126:
        length = data[at + 2] << 8 | data[at + 3]
    elif length == 127:
        length = int.from_bytes(data[at + 2 : at + 10], "big")
    return head + length


def _length(second: int) -> int:
    """Of a frame's head, by its second byte."""
    length = second & 0x7F
    return (2 if length < 126 else 4 if length == 126 else 10) + (second >> 7) * 4


def frame(opcode: int, payload: bytes) -> bytes:
    """A whole frame as a server sends it."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, size)) + payload
    if size < 1 << 16:
        return bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big") + payload
    return bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big") + payload
