"""Server-sent events taken out of a stream of bytes, however it was cut. Pure.

The format is the HTML standard's "event stream"; only `data` matters here.
"""

from __future__ import annotations

import functools
import re


class TooLong(Exception):
    """An event, or a line, longer than we keep."""


# What is looked through at once for a word. More is a long event, which is better taken apart as it comes.
_SKIMMED = 1 << 16


class Events:
    """The data of the events. feed() returns those that ended with these bytes.

    word: only events that have it are wanted, and others may be left out; they cost a tenth of the time. It may be set
    between two feeds.
    """

    def __init__(self, most_bytes: int, word: bytes = b"") -> None:
        self._most = most_bytes
        self.word = word
        self._rest = b""
        self._data: list[bytes] = []
        self._kept = 0
        self._first = True
        self._after_cr = False

    def feed(self, piece: bytes) -> list[bytes]:
        """Raises TooLong; the stream cannot be followed after that."""
        if self._first and not self._rest and piece[:1] not in (b"", b"\xef"):
            self._first = False
        if self.word and piece and not (self._first or self._after_cr or self._data):
            text = self._rest + piece if self._rest else piece
            if len(text) <= _SKIMMED and b"\r" not in text:
                found = _pattern(self.word).search(text)
                if found is not None:
                    return self._skim(text, found.start())
                # Nearly always: a whole event of no interest.
                self._rest = b"" if text.endswith(b"\n\n") else _after(text, 0, len(text))
                return []
        return self._read(piece) if piece else []

    def _skim(self, text: bytes, found: int) -> list[bytes]:
        """As `_read`, of those events alone that have the word. text: with what was kept of the last one. found: where
        the word is for the first time.
        """
        ended: list[bytes] = []
        self._rest = b""
        at = 0
        while found >= 0:
            begun = len(text) - len(_after(text, at, found))
            end = text.find(b"\n\n", found)
            if end < 0:
                break
            ended += self._read(text[begun : end + 2])
            at = end + 2
            found = text.find(self.word, at)
        self._rest = _after(text, at, len(text))
        return ended

    def _read(self, piece: bytes) -> list[bytes]:
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


@functools.cache
def _pattern(word: bytes) -> re.Pattern[bytes]:
    """It looks for a word in half the time of `bytes.find`."""
    return re.compile(re.escape(word))


def _after(text: bytes, at: int, end: int) -> bytes:
    """What follows the last blank line before `end`, or, without one, what begins at `at`."""
    blank = text.rfind(b"\n\n", at, end)
    return text[at:] if blank < 0 else text[blank + 2 :]
