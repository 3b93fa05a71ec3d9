"""One answer of a model API, read as it passes: JSON or a stream of events, plain or compressed. Pure.

`feed` takes every byte of the body in any pieces and never raises; `end` says what was used.
"""

from __future__ import annotations

import contextlib
import json
import re
import zlib
from collections.abc import Callable

from clauderon.proxy.usage.amounts import Usage
from clauderon.proxy.usage.dialects import NOTHING_READ, Dialect, model_name
from clauderon.proxy.usage.events import Events

# What is kept of one answer at most. The largest answers in JSON are images and embeddings, whose usage stays unknown.
MOST_BYTES = 4 << 20
_PIECE = 1 << 16
_AT_ONCE = 1 << 14
# Only an event that says one of these is worth parsing: all others are an answer's words.
_WORD = b"sage"
# But of a stream's first events, which name the model: whoever cuts it or asks for no usage is told no name later.
_NAMING = 16
_PARTS = re.compile(rb'"((?:[^"\\]|\\.)*+)"(\s*:)?|[][{}]')


class Answer:
    """What one answer says. streamed: it is `text/event-stream`; coding: its Content-Encoding."""

    def __init__(self, dialect: Dialect, streamed: bool, coding: str = "") -> None:
        self._dialect = dialect
        self._reading = NOTHING_READ
        self._failed = False
        self.streamed = streamed
        self._decoder = _decoder(coding)
        self._events = Events(MOST_BYTES) if streamed else None
        self._naming = _NAMING
        # Pieces are read together: an event is some hundred bytes, and each comes by itself.
        self._waiting: list[bytes] = []
        self._unread = 0
        self._body: list[bytes] = []
        self._size = 0
        if self._decoder is None:
            self._failed = True

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take a piece of the answer's body. Never raises: what cannot be read is counted as unknown."""
        self._waiting.append(bytes(data))
        self._unread += len(data)
        if self._unread > _AT_ONCE:
            self._read_on()

    def _read_on(self) -> None:
        plain = b"".join(self._waiting)
        self._waiting, self._unread = [], 0
        if self._failed:
            return
        try:
            if self._decoder is not _identity:
                assert self._decoder is not None
                plain = self._decoder(plain)
            if self._events is None:
                self._keep(plain)
                return
            at = 0
            while self._naming and (end := plain.find(b"\n\n", at)) >= 0:
                # One by one, since those after the one that names the model need not be taken apart.
                self._follow(self._events, plain[at : end + 2])
                at = end + 2
            self._follow(self._events, plain[at:])
        except Exception:  # noqa: BLE001 - an answer that nobody can read is no reason to break it
            self._fail()

    def _follow(self, events: Events, piece: bytes) -> None:
        """Raises what a malformed event raises."""
        for event in events.feed(piece):
            if _WORD in event:
                self._read(event)
            elif self._naming:
                self._naming -= 1
                with contextlib.suppress(Exception):
                    self._read(event)
            if self._naming == 0 or self._reading.usage.model:
                self._naming, events.word = 0, _WORD

    def _keep(self, data: bytes) -> None:
        self._size += len(data)
        self._body.append(data)
        if self._size > MOST_BYTES:
            self._fail()

    def _read(self, text: bytes) -> None:
        message = json.loads(text.decode("utf-8", "surrogatepass"))
        # Gemini's stream without events is one array.
        for one in message if isinstance(message, list) else [message]:
            self._reading = self._dialect(self._reading, one)

    def _fail(self) -> None:
        self._failed = True
        usage = self._reading.usage
        if self._body and not usage.model:
            named = usage._replace(model=_named(b"".join(self._body)))
            self._reading = self._reading._replace(usage=named)
        self._body = []
        self._events = None

    def end(self, complete: bool) -> Usage:
        """What was used. complete: whether the answer came to its own end."""
        self._read_on()
        if self._events is None and not self._failed:
            try:
                self._read(b"".join(self._body))
            except Exception:  # noqa: BLE001 - as above
                self._fail()
            self._body = []
        usage = self._reading.usage
        if self._failed or not complete or not self._reading.last:
            return usage._replace(known=False)
        return usage


def _named(text: bytes) -> str:
    """The model that the beginning of an answer in JSON names; "" where it names none."""
    depth, key = 0, b""
    for part in _PARTS.finditer(text):
        if part[1] is None:
            depth += 1 if part[0] in b"{[" else -1
        elif part[2] is not None:
            key = part[1] if depth == 1 else b""
        elif depth == 1 and key == b"model":
            return model_name(part[1].decode("utf-8", "replace"))
    return ""


Decoder = Callable[[bytes], bytes]


def _identity(data: bytes) -> bytes:
    return data


def _decoder(coding: str) -> Decoder | None:
    """For a Content-Encoding that Python can undo; None for others. A bomb ends at MOST_BYTES."""
    name = coding.strip().lower()
    if name in ("", "identity"):
        return _identity
    if name in ("gzip", "x-gzip"):
        return _inflate(31)
    if name == "deflate":
        return _inflate(15)
    return None


def _inflate(bits: int) -> Decoder:
    inflater = zlib.decompressobj(bits)

    def decode(data: bytes) -> bytes:
        parts: list[bytes] = []
        size = 0
        while not inflater.eof:
            part = inflater.decompress(data, _PIECE)
            data = inflater.unconsumed_tail
            parts.append(part)
            size += len(part)
            if size > MOST_BYTES:
                raise ValueError("more than is kept")
            if not data and len(part) < _PIECE:
                break
        return b"".join(parts)

    return decode
