"""Undo the content codings that this Python can, as the bytes stream by. Pure; keeps nothing of them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Protocol

# A body of at least this many bytes that grows by more than this factor was made to fill a memory, not to be read.
PLENTY = 64 << 20
SWOLLEN = 100
_STEP = 1 << 20
_MOST = 3
_MAGIC = b"\x1f\x8b"


class UnreadableError(Exception):
    """The body is in a coding that cannot be undone here."""


class SwollenError(Exception):
    """The body grows beyond reason, or is coded over and over."""


class _Stage(Protocol):
    def feed(self, data: bytes) -> Iterator[bytes]: ...


class _Gzip:
    """One member after the other, as RFC 1952 has it."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(31)

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._member.eof:
                if not _MAGIC.startswith(data[:2]):
                    return  # padding, which clients pass over
                self._member = zlib.decompressobj(31)
            yield from _inflated(self._member, data)
            data = self._member.unused_data


class _Deflate:
    """In its wrapper, or without: some servers leave it out, and clients take both."""

    def __init__(self) -> None:
        self._start = b""
        self._stream: zlib._Decompress | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._stream is None:
            data = self._start + data
            if len(data) < 2:
                self._start = data
                return
            wrapped = data[0] & 15 == 8 and (data[0] << 8 | data[1]) % 31 == 0
            self._stream = zlib.decompressobj(15 if wrapped else -15)
        yield from _inflated(self._stream, data)


_STAGES: dict[bytes, type[_Gzip] | type[_Deflate]] = {
    b"gzip": _Gzip,
    b"x-gzip": _Gzip,
    b"deflate": _Deflate,
}


def _inflated(stream: zlib._Decompress, data: bytes) -> Iterator[bytes]:
    text = b"-"
    while (data or len(text) == _STEP) and not stream.eof:
        text = stream.decompress(data, _STEP)
        data = stream.unconsumed_tail
        yield text


class Inflater:
    """What undoes `codings`, names in the order they were applied. Raises UnreadableError, SwollenError."""

    def __init__(self, codings: list[bytes]) -> None:
        if len(codings) > _MOST:
            raise SwollenError
        if not all(coding in _STAGES for coding in codings):
            raise UnreadableError
        self._stages: list[_Stage] = [_STAGES[coding]() for coding in reversed(codings)]
        self._taken = 0
        self._given = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The text in `data`, in pieces of bounded size. Raises zlib.error, SwollenError."""
        self._taken += len(data)
        return self._through(data, 0)

    def _through(self, data: bytes, stage: int) -> Iterator[bytes]:
        if stage == len(self._stages):
            yield data
            return
        for text in self._stages[stage].feed(data):
            self._given += len(text)
            if self._given > PLENTY and self._given > SWOLLEN * self._taken:
                raise SwollenError
            yield from self._through(text, stage + 1)


def codings_of(field: bytes) -> list[bytes]:
    """The codings a Content-Encoding names, lower case, in the order they were applied; without `identity`."""
    names = [part.strip(b" \t").lower() for part in field.split(b",")]
    return [name for name in names if name and name != b"identity"]
