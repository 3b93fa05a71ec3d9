"""Look for the credential in a compressed body. Pure; keeps what may not pass yet.

A request with a credential asks for no coding (`request.render`), so this is for upstreams that use one all the same.
In a compressed body nothing can be overwritten: one that holds the secret does not pass.

Its length, where its blocks begin and how its letters are coded depend on the secret and on what the client had put
beside it. So nothing passes, not even the head with its length, before all of it was looked at; and what does not pass
is refused in the same words whether it holds the secret, is too large or is broken. That a small body is refused says
that it holds the whole secret, which is no more than asterisks say (the bound is in `mask`). A head without its body
(HEAD, 304) has the length all the same; `response` refuses it.

A model API's answer passes as it comes: it may be a stream without end, and those hosts do not echo what they are sent.
There too nothing depends on less than a whole form; the text's end waits as a plain one's does.
"""

from __future__ import annotations

import zlib
from collections import deque

from clauderon.proxy.http.inflate import Inflater, SwollenError
from clauderon.proxy.http.mask import Spans
from clauderon.proxy.http.needles import Data, Needles

# What may be kept back. More than an answer that nobody wanted compressed should have.
MOST_KEPT = 1 << 20
MOST_TEXT = 16 << 20


class EchoError(Exception):
    """The compressed body holds the secret: nothing more of it may pass."""


class SqueezedMask:
    """Watches one compressed body. codings: as they were applied; streams: it may pass piece by piece.

    found: whether a secret was in it. Raises UnreadableError, SwollenError.
    """

    __slots__ = ("_inflate", "_kept", "_kept_size", "_needles", "_raw", "_size", "_streams", "_text", "found")

    def __init__(self, needles: Needles, codings: list[bytes], *, streams: bool) -> None:
        self.found = False
        self._needles = needles
        self._streams = streams
        self._inflate = Inflater(codings)
        self._raw = self._text = b""  # the last bytes as they came, and the last of the text
        self._size = 0  # of the text
        self._kept: deque[tuple[bytes, int]] = deque()  # raw bytes, and how much text there is with them
        self._kept_size = 0

    def head(self, raw: bytes) -> bytes:
        """What of the head may pass now; the rest comes with the body."""
        if self._streams:
            return raw
        self._keep(raw)
        return b""

    def body(self, data: Data, spans: Spans, done: bool) -> bytes:
        """The raw bytes that may pass now. Raises EchoError, SwollenError.

        spans: where in `data` the body's own bytes lie; done: nothing follows.
        """
        data = bytes(data)
        self._raw = self._looked_at(self._raw + data)
        try:
            for text in self._inflate.feed(b"".join([data[first:last] for first, last in spans])):
                self._size += len(text)
                if self._size > MOST_TEXT and not self._streams:
                    raise SwollenError
                self._text = self._looked_at(self._text + text)
        except zlib.error:
            raise SwollenError from None
        self._keep(data)
        if self.found and (done or self._streams):
            raise EchoError
        if done:
            return self._passed(self._size)
        if not self._streams or self._needles.growing(self._raw):
            return b""
        return self._passed(self._size - self._needles.growing(self._text))

    def _looked_at(self, text: bytes) -> bytes:
        """What of `text` may go on in what comes next."""
        self.found = self.found or bool(self._needles.find(text))
        return text[-self._needles.keep :]

    def _keep(self, data: bytes) -> None:
        self._kept.append((data, self._size))
        self._kept_size += len(data)
        if self._kept_size > MOST_KEPT:
            raise SwollenError

    def _passed(self, size: int) -> bytes:
        parts = []
        while self._kept and self._kept[0][1] <= size:
            parts.append(self._kept.popleft()[0])
            self._kept_size -= len(parts[-1])
        return b"".join(parts)
