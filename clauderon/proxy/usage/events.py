"""Server-sent events taken out of a stream of bytes, however it was cut. Pure.

The format is the HTML standard's "event stream"; only `data` matters here.
"""

from __future__ import annotations


class TooLong(Exception):
    """An event, or a line, longer than we keep."""


class Events:
    """The data of the events. feed() returns those that ended with these bytes."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._rest = b""
        self._data: list[bytes] = []
        self._kept = 0
        self._first = True
        self._after_cr = False

    def feed(self, piece: bytes) -> list[bytes]:
        """Raises TooLong; the stream cannot be followed after that."""
        if not piece:
            return []
        text = piece
        if self._after_cr:
            # The second half of a line's end.
            self._after_cr = False
            text = text.removeprefix(b"\n")
        if self._rest:
            text, self._rest = self._rest + text, b""
        if self._first:
            if b"\xef\xbb\xbf".startswith(text[:3]) and len(text) < 3:
                self._rest = text
                return []
            text = text.removeprefix(b"\xef\xbb\xbf")
            self._first = False
        if b"\r" in text:
            self._after_cr = text.endswith(b"\r")
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, self._rest = text.split(b"\n")
        if len(self._rest) > self._most:
            raise TooLong
        ended = []
        for line in lines:
            if not line:
                if self._data:
                    ended.append(b"\n".join(self._data))
                    self._data, self._kept = [], 0
            elif line.startswith(b"data"):
                if line[4:5] == b":":
                    self._keep(line[6:] if line[5:6] == b" " else line[5:])
                elif len(line) == 4:
                    self._keep(b"")
        return ended

    def _keep(self, data: bytes) -> None:
        self._kept += len(data)
        if self._kept > self._most:
            raise TooLong
        self._data.append(data)
