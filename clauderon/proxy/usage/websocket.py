"""What a model API says over a WebSocket, as Codex speaks to OpenAI's: the messages of the server, read as they pass.

The frames are wsproto's to read, with permessage-deflate as the two ends agreed on it. Never raises; pure.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from clauderon.proxy.usage.amounts import UNKNOWN, Usage
from clauderon.proxy.usage.dialects import NOTHING_READ, Dialect
from clauderon.proxy.usage.frames import Frames, frame_size
from clauderon.proxy.usage.reader import MOST_BYTES

_BEGINS, _WORD = b'"response.created"', b"sage"
_WHOLE_MESSAGES = (b"\x81", b"\x82")


class Messages:
    """The answers of one WebSocket. extensions: the server's `Sec-WebSocket-Extensions`."""

    def __init__(self, dialect: Dialect, extensions: str = "") -> None:
        self._dialect = dialect
        self._text: list[bytes] = []
        self._size = 0
        self._connection = _connection(extensions)
        # Of what wsproto was given: between its messages, frames that say nothing of usage need not be.
        self._frames = Frames()
        self._unread = UNKNOWN  # or with the name of the model whose answer is under way
        self.answering = False

    @property
    def readable(self) -> bool:
        """Whether what passes is still understood."""
        return self._connection is not None

    def feed(self, data: bytes | bytearray | memoryview) -> list[Usage]:
        """What the answers used that ended with these bytes of the server's."""
        if self._connection is None:
            return []
        try:
            rest = bytes(data)
            if self._frames.between:
                rest = rest[unremarkable(rest) :]
            if not rest:
                return []
            self._frames.feed(rest)
            self._connection.receive_data(rest)
            return list(self._ended())
        except Exception:  # noqa: BLE001 - frames that nobody can read are no reason to break them
            self._connection = None
            self._text = []
            return [self._unread]

    def end(self) -> list[Usage]:
        """An answer that was under way when the connection ended."""
        return [self._unread] if self.answering and self._connection is not None else []

    def _ended(self) -> Iterator[Usage]:
        from wsproto.events import BytesMessage, TextMessage

        assert self._connection is not None
        for event in self._connection.events():
            if not isinstance(event, TextMessage | BytesMessage):
                continue
            data = event.data
            self._size += len(data)
            if self._size > MOST_BYTES:
                self._text = []  # its end is still waited for
            else:
                self._text.append(data.encode() if isinstance(data, str) else bytes(data))
            if not event.message_finished:
                continue
            text, too_long = b"".join(self._text), self._size > MOST_BYTES
            self._text, self._size = [], 0
            if too_long:
                self.answering = False
                yield self._unread
            else:
                yield from self._read(text)

    def _read(self, text: bytes) -> Iterator[Usage]:
        if _BEGINS in text:
            self.answering = True
            with contextlib.suppress(Exception):  # an answer that is cut names its model nowhere else
                begun = self._dialect(NOTHING_READ, json.loads(text)).usage
                self._unread = UNKNOWN._replace(model=begun.model)
        if _WORD not in text:
            return
        try:
            reading = self._dialect(NOTHING_READ, json.loads(text))
        except Exception:  # noqa: BLE001 - as above
            self.answering = False
            yield self._unread
            return
        if reading.last:
            self.answering, self._unread = False, UNKNOWN
            yield reading.usage


def says_nothing(text: bytes) -> bool:
    """Whether a message says neither that an answer begins nor what it used."""
    return _WORD not in text and _BEGINS not in text


def unremarkable(data: bytes) -> int:
    """How many bytes at the beginning are whole messages, each in one frame that nobody compressed, of no interest."""
    at = len(data)
    if not says_nothing(data):
        at = min(found for found in (data.find(_WORD), data.find(_BEGINS)) if found >= 0)
    end = 0
    while data[end : end + 1] in _WHOLE_MESSAGES and 0 < (size := frame_size(data, end)) <= at - end:
        end += size
    return end


def _connection(extensions: str) -> Any:
    """wsproto's, at the client's end; None for an extension that it does not know."""
    from wsproto.connection import Connection, ConnectionType
    from wsproto.extensions import Extension, PerMessageDeflate

    agreed: list[Extension] = []
    for extension in filter(None, (part.strip() for part in extensions.split(","))):
        if extension.partition(";")[0].strip().lower() != PerMessageDeflate.name:
            return None
        deflate = PerMessageDeflate()
        try:
            deflate.finalize(extension)
        except Exception:  # noqa: BLE001 - as above
            return None
        agreed.append(deflate)
    return Connection(ConnectionType.CLIENT, agreed)
