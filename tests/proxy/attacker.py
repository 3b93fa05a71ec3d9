"""A container that has a host which stores bytes and returns them, played in memory: what it sees, and what it makes of it.

The host writes what it was told wherever it was told to cut; the response goes through `Response`, as in the proxy.
"""

from __future__ import annotations

import base64
import gzip
import string
import zlib
from collections.abc import Callable
from typing import NamedTuple

from clauderon.proxy.http.needles import Needles
from clauderon.proxy.http.response import Response, ResponseError

ALPHABET = string.ascii_letters + string.digits


class Seen(NamedTuple):
    """All that is observable of one answer: the bytes sent after each read, how it ended, and how hard we had to look.

    compared: how often a text was compared with a form of the secret, which takes time.
    """

    sent: tuple[bytes, ...]
    end: str
    compared: int


class World:
    """A proxy that holds one secret. ask: what a client sees of a response that arrives in these pieces.

    work: how much was looked at so far, by a counter of the test's.
    """

    def __init__(self, needles: Needles, work: Callable[[], int], *, streams: bool = False) -> None:
        self.needles = needles
        self.work = work
        self.streams = streams
        self.asked = 0

    def ask(self, pieces: list[bytes], method: bytes = b"GET") -> Seen:
        self.asked += 1
        before = self.work()
        parts: list[bytes] = []
        response = Response(method, 1, lambda data: parts.append(bytes(data)))
        response.mask(self.needles, streams=self.streams)
        sent = []
        end = ""
        for piece in pieces:
            parts.clear()
            try:
                response.feed(memoryview(piece))
            except ResponseError as error:
                end = f"{error.code} {error}"
            sent.append(b"".join(parts))
            if end:
                break
        return Seen(tuple(sent), end, self.work() - before)


# One channel each: given a guess at how a secret begins, a response that might show whether it is right.
Channel = Callable[[bytes], list[bytes]]


def _sized(body: bytes, field: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%b\r\n%b" % (len(body), field, body)


def _cut(response: bytes, at: int) -> list[bytes]:
    return [response[:at], response[at:]]


def _chunked(*parts: bytes, trailer: bytes = b"") -> list[bytes]:
    pieces = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"]
    pieces += [b"%x\r\n%b\r\n" % (len(part), part) for part in parts]
    return [*pieces, b"0\r\n" + trailer, b"\r\n"]


def _gzip(guess: bytes, flush: int) -> list[bytes]:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    first = squeeze.compress(guess) + squeeze.flush(flush)
    rest = squeeze.compress(b" more") + squeeze.flush()
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n"
    return [head, *_chunked(first, rest)[1:]]


CHANNELS: dict[str, Channel] = {
    "a body cut behind the guess": lambda guess: _cut(_sized(guess + b" more"), -5),
    "a body cut behind the guess, much of it": lambda guess: _cut(_sized(b"x" * 200 + guess + b" more"), -5),
    "a body that is repeated": lambda guess: _cut(_sized((guess + b" ") * 50), -7),
    "a body that ends": lambda guess: [_sized(guess)],
    "a chunk": lambda guess: _chunked(guess, b"more"),
    "a chunk of each byte": lambda guess: _chunked(*[bytes([byte]) for byte in guess[-24:]]),
    "an event": lambda guess: _chunked(b"data: " + guess + b"\n\n", b"data: more\n\n"),
    "an extension": lambda guess: [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=" + guess,
        b"\r\nhello\r\n0\r\n\r\n",
    ],
    "a trailer": lambda guess: [*_chunked(b"hello")[:2], b"0\r\nX-Key: " + guess, b"\r\n\r\n"],
    "a head": lambda guess: [_sized(b"ok", b"X-Key: %b\r\n" % guess)],
    "a head that is cut": lambda guess: _cut(_sized(b"ok", b"X-Key: %b\r\n" % guess), 40 + len(guess)),
    "an interim head": lambda guess: [b"HTTP/1.1 103 Hints\r\nX: " + guess, b"\r\n\r\n" + _sized(b"ok")],
    "gzip, flushed": lambda guess: _gzip(guess, zlib.Z_SYNC_FLUSH),
    "gzip, in full": lambda guess: _gzip(guess, zlib.Z_FULL_FLUSH),
    "gzip, whole": lambda guess: [_sized(gzip.compress(guess, mtime=0), b"Content-Encoding: gzip\r\n")],
    "deflate": lambda guess: _cut(_sized(zlib.compress(guess), b"Content-Encoding: deflate\r\n"), -6),
    "a body without a length": lambda guess: [b"HTTP/1.1 200 OK\r\n\r\n" + guess, b" more"],
}


def _base64(shift: int, before: bytes = b"") -> Callable[[bytes], bytes]:
    """What base64 makes of a text behind `shift` bytes, without the character in which something else has a part."""

    def coded(text: bytes) -> bytes:
        raw = bytes(shift) + before + text
        return base64.b64encode(raw + bytes(2))[: len(raw) * 8 // 6]

    return coded


CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "lower": bytes.lower,
    "basic": _base64(0, b"x-access-token:"),
    "base64, 0": _base64(0),
    "base64, 1": _base64(1),
    "base64, 2": _base64(2),
}


class Attacker:
    """Knows how a secret begins and wants the rest, with so many requests. It has proxies of its own to compare with, which
    hold other secrets of the same kind: what only the real one answers otherwise has to do with its secret."""

    def __init__(self, real: World, own: list[World], known: bytes, budget: int) -> None:
        self.real, self.own = real, own
        self.known = known
        self.budget = budget

    def tells(self, pieces: list[bytes]) -> bool:
        """Whether the real one answers unlike all others."""
        self.budget -= 1
        view = self.real.ask(pieces)
        return all(own.ask(pieces) != view for own in self.own)

    def next_letter(self, channel: Channel, coded: Callable[[bytes], bytes]) -> bytes:
        """The one way to go on that the proxy treats unlike the others, if there is one."""
        told = [
            letter.encode()
            for letter in ALPHABET
            if self.budget > 0 and self.tells(channel(coded(self.known + letter.encode())))
        ]
        return told[0] if len(told) == 1 else b""

    def go_on(self) -> bytes:
        """Try every channel in every coding; return the channel's letter as soon as one tells."""
        for channel in CHANNELS.values():
            for coded in CODINGS.values():
                letter = self.next_letter(channel, coded)
                if letter:
                    self.known += letter
                    return letter
        return b""
