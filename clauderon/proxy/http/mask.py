"""Keep an upstream from telling the client the credential it was sent. Pure; works on bytes as they stream by.

What is found is overwritten with asterisks of the same length, so no framing changes: in heads, interim ones too, in
bodies across reads and chunks, in trailers and chunk extensions. Compressed bodies are `squeezed`'s.

**Nothing observable from inside depends on a match of fewer than `needles.BITS` unknown bits.** It must stay so: a host
that stores what it is sent and returns it would otherwise tell, guess by guess, how a secret goes on. The argument is
that of two worlds, one with the secret S and one with another of the same length and kind (the words it begins with,
its alphabet, which of its characters are escaped: these do show), and of a client that knows neither and may have any
bytes come back, cut anywhere:

1. What passes, and when, is decided by `Needles.growing`: by the position in the body, by which bytes no secret of that
   kind holds, and by the length of the longest form in steps of 64. None of that asks for S.
2. How long a look takes: `Needles.find` does the same work in both worlds until a sample of the text equals a piece of
   S, all BITS bits of it at once. Before that there is no partial success to build upon: a sample that has all but one
   bit right is treated as one that has none. A large text is sampled only if it has a run, as long as the shortest
   form, of bytes that a secret of that kind may hold: this does not ask for S either.
3. A form is overwritten only if all of it is there. So both worlds look the same until a text holds a piece of S. There
   are fewer than 2**9 pieces, and n bytes hold fewer than n samples: a client that fetches n bytes finds one with a
   probability below n * 2**(9 - BITS), which after 100,000 answers of 1 MiB is 2**-34.
4. Where S is really in the response (a host that echoes), every byte of a form is overwritten, wherever it is cut, as
   all that may be the beginning of a form waits. No part of it passes from which to guess on.

What may begin a secret waits for the next byte, and so does all that looks like it: a word at the end of a read. Events
and lines do not wait, for their ends cannot be in a secret. Left, and no concern of this module: WebSocket frames and a
secret that the upstream transforms or sends in parts.
"""

from __future__ import annotations

from collections.abc import Sequence

from clauderon.proxy.http.inflate import SwollenError
from clauderon.proxy.http.needles import Data, Needles

# What may be kept back: the framing between the bytes of a word that a server sends in chunks of one byte.
MOST_HELD = 1 << 20

Spans = Sequence[tuple[int, int]]


class Mask:
    """Watches one plain response from a host that has a credential. found: whether a secret was in it."""

    __slots__ = ("_held", "_held_spans", "found", "needles")

    def __init__(self, needles: Needles) -> None:
        self.needles = needles
        self.found = False
        self._held = b""  # raw bytes kept back
        self._held_spans: list[tuple[int, int]] = []

    def whole(self, raw: bytes) -> bytes:
        """A head, or any bytes that come whole, with the secret overwritten."""
        found = self.needles.find(raw)
        if not found:
            return raw
        self.found = True
        return bytes(_blanked(raw, [(0, len(raw))], found))

    def body(self, data: Data, spans: Spans, done: bool) -> Data:
        """The raw bytes of a body that may pass now.

        spans: where in `data` its own bytes lie, apart from framing; done: nothing follows. Raises SwollenError.
        """
        if self._held:
            data, spans = self._joined(data, spans)
        plain = len(spans) == 1 and spans[0] == (0, len(data))
        text = data if plain else b"".join([data[first:last] for first, last in spans])
        growing = 0 if done else self.needles.growing(text)
        found = self._found(text, growing)
        if found:
            data = _blanked(data, spans, found)
        if not plain:
            data = self._framing(data, spans, done)
        if done:
            return data
        if growing:
            return self._hold(data, spans, len(text) - growing)
        # A line of the framing was cut: a trailer, or an extension.
        growing = 0 if plain else self.needles.growing(data[spans[-1][1] if spans else 0 :])
        if growing:
            self._held, self._held_spans = bytes(data[-growing:]), []
            return data[:-growing]
        return data

    def _joined(self, data: Data, spans: Spans) -> tuple[bytes, list[tuple[int, int]]]:
        offset = len(self._held)
        joined = self._held_spans
        for first, last in spans:
            if joined and joined[-1][1] == first + offset:
                joined[-1] = (joined[-1][0], last + offset)
            else:
                joined.append((first + offset, last + offset))
        data = self._held + bytes(data)
        self._held = b""
        return data, joined

    def _found(self, text: Data, growing: int) -> Spans:
        """What to overwrite in `text`, of which so many bytes at the end wait.

        A form of which the last character is still to come is found again, with that.
        """
        size = len(text)
        found = [
            (start, end)
            for start, end in self.needles.find(text)
            if end <= size or not growing or start < size - growing
        ]
        self.found = self.found or bool(found)
        return found

    def _framing(self, data: Data, spans: Spans, done: bool) -> Data:
        """What lies between the spans, with the secret overwritten."""
        at = 0
        for first, last in [*spans, (len(data), len(data))]:
            if first - at >= self.needles.shortest:
                text = data[at:first]
                waits = 0 if done or first < len(data) else self.needles.growing(text)
                found = self._found(text, waits)
                if found:
                    data = _blanked(data, [(at, first)], found)
            at = last
        return data

    def _hold(self, raw: Data, spans: Spans, passed: int) -> Data:
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
        self._held, self._held_spans = bytes(raw[at:]), kept
        if len(self._held) > MOST_HELD:
            raise SwollenError
        return raw[:at]


def _blanked(raw: Data, spans: Spans, found: Spans) -> bytearray:
    """`raw` with asterisks where `found` says; that is in numbers of the bytes in `spans` alone."""
    made = bytearray(raw)
    for start, end in found:
        at = 0
        for first, last in spans:
            low, high = max(start - at, 0), min(end - at, last - first)
            if low < high:
                made[first + low : first + high] = b"*" * (high - low)
            at += last - first
    return made
