"""Judge header lines one by one and remember the verdicts: most lines of most requests have been seen before. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

CRLF = b"\r\n"
END = b"\r\n\r\n"
MAX_HEAD = 128 * 1024
MAX_FIELDS = 1024

_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t\x20-\x7e\x80-\xff]*)")
_LONGEST_LENGTH = 18
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_REMEMBERED = 2048
_REMEMBERED_SIZE = 256

# What a line means to a proxy: a code and the value, or nothing.
Meaning = tuple[int, bytes] | Literal[False]


class HeadError(Exception):
    """The head is refused. `status` is what to answer; the text says what is wrong."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class FieldTable:
    """Which field names mean something, and what the lines met so far meant.

    codes: by lower-case name. status: of the HeadError for a line that is malformed. forgotten: codes whose lines are
    never remembered, as they hold what is secret. only: codes that mean something only with such a value.
    """

    __slots__ = ("_codes", "_forgotten", "_only", "_status", "known")

    def __init__(
        self,
        codes: Mapping[bytes, int],
        *,
        status: int,
        forgotten: frozenset[int] = frozenset(),
        only: Mapping[int, re.Pattern[bytes]] | None = None,
    ) -> None:
        self._codes = codes
        self._status = status
        self._forgotten = forgotten
        self._only = only or {}
        self.known: dict[bytes, Meaning] = {}

    def meaning(self, line: bytes) -> Meaning:
        """What a line that is not `known` means. Raises HeadError for one that two parsers could read differently."""
        match = _FIELD.fullmatch(line)
        if match is None:
            raise HeadError(self._status, _why(line))
        code = self._codes.get(match[1].lower())
        meaning: Meaning = (code, match[2]) if code is not None else False
        if code is not None and code in self._only and self._only[code].search(match[2]) is None:
            meaning = False
        if len(line) <= _REMEMBERED_SIZE and code not in self._forgotten:
            if len(self.known) >= _REMEMBERED:
                self.known.clear()
            self.known[line] = meaning
        return meaning


def _why(line: bytes) -> str:
    if _CONTROL.search(line):
        return "a control character, or a line that does not end in CR LF, in the head"
    if line[:1] in (b" ", b"\t"):
        return "a header line that is folded"
    return "a header line without a colon, or without a proper name before it"


def split_head(wire: bytes, status: int) -> list[bytes]:
    """The lines of a head that ends in its empty line, without that. Raises HeadError if there are too many."""
    lines = wire.split(CRLF)
    del lines[-2:]
    if len(lines) > MAX_FIELDS:
        raise HeadError(431 if status == 400 else status, f"more than {MAX_FIELDS} header fields")
    return lines


def parse_length(text: bytes, status: int) -> int:
    """A Content-Length. Raises HeadError with `status`."""
    if len(text) > _LONGEST_LENGTH or not text.isdigit():  # isdigit of bytes knows ASCII's digits alone
        raise HeadError(status, "a Content-Length that is not one plain number")
    return int(text)
