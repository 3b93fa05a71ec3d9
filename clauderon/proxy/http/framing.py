"""Find where a message body ends while its bytes pass by untouched. Pure; keeps no body bytes.

Each framing has `feed(data)`, which says how many of the bytes belong to the body, `begun` and `done`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Protocol

from clauderon.proxy.http.overrides import overrides
from clauderon.proxy.http.request import CHUNKED, PARTS, UNTIL_CLOSE

MAX_LINE = 1024  # a chunk's size with its extension
MAX_TRAILER = 16 * 1024
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*'
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;%b+(?:=(?:%b+|%b\"))?)*\r\n" % (_TOKEN, _TOKEN, _QUOTED))
# The same after a chunk's data, without extension and padding: nearly every chunk is like this.
_NEXT_SIZE = re.compile(rb"\r\n([0-9A-Fa-f]{1,15})\r\n")
# Any beginning of a line that _SIZE takes.
_SIZE_SO_FAR = re.compile(
    rb"[0-9A-Fa-f]{0,15}|[0-9A-Fa-f]{1,15}(?:;%b+(?:=(?:%b+|%b\"))?)*(?:\r|;%b*|;%b+=(?:%b\\?)?)?"
    % (_TOKEN, _TOKEN, _QUOTED, _TOKEN, _TOKEN, _QUOTED)
)
# Servers are known to pad the size with spaces; it is the same to every parser, so a response may.
_PADDED = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*\r\n")
_PADDED_SO_FAR = re.compile(rb"[0-9A-Fa-f]{1,15}[ \t]*\r?")
_TRAILER = re.compile(rb"(%b+):[\t\x20-\x7e\x80-\xff]*\r\n" % _TOKEN)
_TRAILER_SO_FAR = re.compile(rb"\r?|%b+(?::[\t\x20-\x7e\x80-\xff]*\r?)?" % _TOKEN)

# Fields that would change a message's meaning after its head was judged, with `-` at their joints.
_NOT_IN_TRAILERS = frozenset(
    {
        b"content-length",
        b"transfer-encoding",
        b"host",
        b"connection",
        b"upgrade",
        b"trailer",
        b"te",
        b"expect",
    }
    | {
        b"authorization",
        b"proxy-authorization",
        b"cookie",
        b"content-encoding",
        b"content-type",
        b"content-range",
        b"accept-encoding",
    }
    | set(PARTS)
)

Data = bytes | bytearray | memoryview


class FramingError(Exception):
    """The body's framing is broken; the text says how."""


class Framing(Protocol):
    """Finds where a body ends. `done` when it has, `begun` once a byte of it came."""

    done: bool
    begun: bool
    # Where in the data just fed the body's own bytes lie, if the owner set it to a list.
    spans: list[tuple[int, int]] | None

    def feed(self, data: Data) -> int:
        """Take the next bytes; how many of them belong to the body. Raises FramingError."""


class Length:
    """A body of a known number of bytes."""

    __slots__ = ("begun", "done", "remaining", "spans")

    def __init__(self, remaining: int) -> None:
        self.begun = False
        self.remaining = remaining
        self.done = remaining == 0
        self.spans: list[tuple[int, int]] | None = None

    def feed(self, data: Data) -> int:
        """Take the next bytes; how many of them belong to the body."""
        self.begun = True
        size = len(data)
        if size < self.remaining:
            self.remaining -= size
        else:
            size = self.remaining
            self.remaining = 0
            self.done = True
        if self.spans is not None:
            self.spans.append((0, size))
        return size


class UntilClose:
    """A response body that ends when its connection does."""

    __slots__ = ("begun", "done", "spans")

    def __init__(self) -> None:
        self.begun = True
        self.done = False
        self.spans: list[tuple[int, int]] | None = None

    def feed(self, data: Data) -> int:
        """Take the next bytes; all of them belong to the body."""
        if self.spans is not None:
            self.spans.append((0, len(data)))
        return len(data)


class Chunked:
    """A chunked body. Trailer fields named in `refused` break the framing, with `-` or `_` at their joints; `padded`
    sizes are let through."""

    __slots__ = (
        "_end",
        "_held",
        "_skip",
        "_trailer",
        "_trailing",
        "begun",
        "done",
        "padded",
        "refused",
        "spans",
    )

    def __init__(self, refused: frozenset[bytes] = frozenset(), *, padded: bool = False) -> None:
        self.refused = refused
        self.padded = padded
        self.begun = False
        self.done = False
        self.spans: list[tuple[int, int]] | None = None
        self._skip = 0  # data bytes of the present chunk still to come
        self._end = False  # the CR LF after a chunk's data is due
        self._held = b""  # the start of a line that was cut
        self._trailer = False
        self._trailing = 0

    def feed(self, data: Data) -> int:
        """Raises FramingError."""
        self.begun = True
        skip = self._skip
        size = len(data)
        if skip > size:
            self._skip = skip - size
            if self.spans is not None:
                self.spans.append((0, size))
            return size
        before = 0
        if self._held:
            before = len(self._held)
            data = self._held + bytes(data)
            self._held = b""
        spans, self.spans = self.spans, [] if self.spans is not None else None
        used = self._walk(data) - before
        if spans is not None:
            spans += [(first - before, last - before) for first, last in self.spans or ()]
            self.spans = spans
        return used

    def _walk(self, data: Data) -> int:
        at, size = 0, len(data)
        skip, spans = self._skip, self.spans
        next_size = _NEXT_SIZE.match
        while at < size:
            if skip:
                end = at + skip
                if end > size:
                    end = size
                if spans is not None:
                    spans.append((at, end))
                skip -= end - at
                at = end
            elif self._end and (match := next_size(data, at)) is not None:
                at = match.end()
                skip = int(match[1], 16)
                if not skip:
                    self._end = False
                    self._trailer = True
            elif self._trailer:
                at = self._walk_trailer(data, at)
                break
            else:
                at, skip = self._walk_size(data, at)
        self._skip = skip
        return at

    def _walk_size(self, data: Data, at: int) -> tuple[int, int]:
        """The end of a chunk's data or a size line, in its long form: where it ends, and the data that follow."""
        size = len(data)
        if self._end:
            if size - at < 2:
                if data[at:] != b"\r":
                    raise FramingError("a chunk is longer than its size says")
                self._held = b"\r"
                return size, 0
            if data[at : at + 2] != b"\r\n":
                raise FramingError("a chunk is longer than its size says")
            self._end = False
            return at + 2, 0
        match = _SIZE.match(data, at) or (_PADDED.match(data, at) if self.padded else None)
        # The limits are the same for a line that comes whole and for one that comes in pieces.
        if (size if match is None else match.end()) - at > MAX_LINE:
            raise FramingError("a chunk size with a long extension")
        if match is None:
            if not self._may_become_size(data, at):
                raise FramingError("a chunk size that is not a plain hexadecimal number")
            self._held = bytes(data[at:])
            return size, 0
        skip = int(match[1], 16)
        if skip:
            self._end = True
        else:
            self._trailer = True
        return match.end(), skip

    def _may_become_size(self, data: Data, at: int) -> bool:
        if _SIZE_SO_FAR.fullmatch(data, at) is not None:
            return True
        return self.padded and _PADDED_SO_FAR.fullmatch(data, at) is not None

    def _walk_trailer(self, data: Data, at: int) -> int:
        size = len(data)
        while True:
            if data[at : at + 2] == b"\r\n":
                self.done = True
                return at + 2
            match = _TRAILER.match(data, at)
            if match is None:
                break
            if self._is_refused(bytes(match[1])):
                raise FramingError("a trailer field that is only allowed in the head")
            self._trailing += match.end() - at
            at = match.end()
            if self._trailing > MAX_TRAILER:
                raise FramingError("a trailer that is too long")
        rest = bytes(data[at:])
        if _TRAILER_SO_FAR.fullmatch(rest) is None or (
            self._trailing + len(rest) > MAX_TRAILER and rest != b"\r"
        ):
            raise FramingError("a trailer that is malformed or too long")
        if b":" in rest and self._is_refused(rest.partition(b":")[0]):
            raise FramingError("a trailer field that is only allowed in the head")
        self._held = rest
        return size

    def _is_refused(self, name: bytes) -> bool:
        return bool(self.refused) and (_plain_name(name) in self.refused or overrides(name))


def _plain_name(name: bytes) -> bytes:
    return name.lower().replace(b"_", b"-")


@lru_cache(maxsize=8)
def not_in_trailers(credential_headers: frozenset[bytes]) -> frozenset[bytes]:
    """What no request's trailer may hold, in the form `Chunked` compares."""
    return _NOT_IN_TRAILERS | {_plain_name(name) for name in credential_headers}


def request_framing(length: int, credential_headers: frozenset[bytes]) -> Framing:
    """The framing of a request's body, by its head's `length`."""
    return Chunked(not_in_trailers(credential_headers)) if length == CHUNKED else Length(length)


def response_framing(length: int) -> Framing:
    """The framing of a response's body, by its head's `length`."""
    if length == CHUNKED:
        return Chunked(padded=True)
    if length == UNTIL_CLOSE:
        return UntilClose()
    return Length(length)
