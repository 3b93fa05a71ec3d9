"""Keep an upstream from telling the client the credential it was sent. Pure; works on bytes as they stream by.

Covered: response heads and trailers, plain bodies (also across reads and chunks), gzip and deflate bodies, also in
layers. What is found is overwritten with asterisks of the same length, so no framing changes; in a compressed body it
cannot be, so the response is cut before it. Not covered: other codings (which pass only to a client that asked for
them), WebSocket frames, and a secret that the upstream transforms, splits or sends in parts: an upstream that wants to
give away its own secret always can.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from clauderon.proxy.inflate import Inflater, SwollenError, codings_of

# A shorter part of a secret may pass: most begin with a public prefix, and to hold back less would delay text that
# only happens to end in such a letter.
PART = 8
# What may be kept back, as of compressed blocks with nothing in them. A server can send them for ever.
MOST_HELD = 1 << 20

Data = bytes | bytearray | memoryview
Spans = Sequence[tuple[int, int]]


class EchoError(Exception):
    """The compressed body holds the secret: nothing more of it may pass."""


class Mask:
    """Watches one response to a request that carried a credential. `needles`: the forms of its secret."""

    __slots__ = ("_carry", "_held", "_held_spans", "_inflate", "found", "needles")

    def __init__(self, needles: tuple[bytes, ...]) -> None:
        self.needles = needles
        self.found = False
        self._carry = b""  # the last body bytes let through, if they begin a secret
        self._held = b""  # raw bytes kept back because they end in a part of the secret
        self._held_spans: list[tuple[int, int]] = []
        self._inflate: Inflater | None = None

    def begin_body(self, encoding: bytes) -> None:
        """The head is over; `encoding` holds its codings. Raises UnreadableError; then the body is taken as plain."""
        codings = codings_of(encoding)
        if codings:
            self._inflate = Inflater(codings)

    def whole(self, raw: bytes) -> bytes:
        """A head, or any bytes that come whole, with the secret overwritten."""
        for needle in self.needles:
            if needle in raw:
                self.found = True
                raw = raw.replace(needle, b"*" * len(needle))
        return raw

    def body(self, data: Data, spans: Spans, done: bool) -> bytes:
        """The raw bytes of a body that may pass now.

        spans: where in `data` its own bytes lie, apart from framing; done: nothing follows. Raises EchoError or
        SwollenError.
        """
        data = bytes(data)
        wait = False
        if self._inflate is not None:
            wait = self._begins_inside(b"".join([data[first:last] for first, last in spans])) and not done
        if self._held:
            offset = len(self._held)
            spans = self._held_spans + [(first + offset, last + offset) for first, last in spans]
            data = self._held + data
            self._held = b""
        raw = self.whole(data)
        if self._inflate is not None:
            if wait:
                return self._hold(raw, spans, 0)
        elif spans:
            raw = self._plain(raw, spans, b"".join([raw[first:last] for first, last in spans]), done)
        if self._held or done:
            return raw
        return self._hold_line(raw, spans[-1][1] if spans else 0)

    def _plain(self, raw: bytes, spans: Spans, text: bytes, done: bool) -> bytes:
        before = len(self._carry)
        text = self._carry + text
        if before or len(spans) > 1:
            clean = self.whole(text)
            if clean is not text:
                raw, text = _spread(raw, spans, clean[before:]), clean
        part = self._part_at_end(text)
        if part >= PART and not done:
            passed = max(len(text) - part, before)
            self._carry = text[:passed][-PART:]
            return self._hold(raw, spans, passed - before)
        self._carry = text[-part:] if part else b""
        return raw

    def _hold(self, raw: bytes, spans: Spans, passed: int) -> bytes:
        """Keep back everything from the body byte number `passed` on; returns what is before it."""
        at = len(raw)
        kept: list[tuple[int, int]] = []
        for first, last in spans:
            size = last - first
            if passed >= size:
                passed -= size
                continue
            if not kept:
                at = first + passed
            kept.append((first + passed - at, last - at))
            passed = 0
        self._held, self._held_spans = raw[at:], kept
        if len(self._held) > MOST_HELD:
            raise SwollenError
        return raw[:at]

    def _hold_line(self, raw: bytes, start: int) -> bytes:
        """Keep back the part of a secret in which the framing after the body ends: a trailer, an extension."""
        part = self._part_at_end(raw[start:])
        if part:
            self._held, self._held_spans = raw[-part:], []
            return raw[:-part]
        return raw

    def _part_at_end(self, text: bytes) -> int:
        """How many bytes at the end of `text` are the beginning of a needle."""
        longest = 0
        for needle in self.needles:
            tail = text[1 - len(needle) :]
            start = needle[:1]
            at = tail.find(start)
            while at >= 0:
                if needle.startswith(tail[at:]):
                    longest = max(longest, len(tail) - at)
                    break
                at = tail.find(start, at + 1)
        return longest

    def _begins_inside(self, data: bytes) -> bool:
        """Whether the compressed body so far ends in a part of the secret. Raises EchoError for a whole one."""
        assert self._inflate is not None
        try:
            for text in self._inflate.feed(data):
                text = self._carry + text
                if any(needle in text for needle in self.needles):
                    self.found = True
                    raise EchoError
                part = self._part_at_end(text)
                self._carry = text[-part:] if part else b""
        except zlib.error:
            # The client will make no sense of it either.
            self._inflate = None
            self._carry = b""
            return False
        return len(self._carry) >= PART


def _spread(raw: bytes, spans: Spans, text: bytes) -> bytes:
    """`raw` with its body bytes replaced by `text`, of the same length."""
    made = bytearray(raw)
    at = 0
    for first, last in spans:
        size = last - first
        made[first:last] = text[at : at + size]
        at += size
    return bytes(made)
