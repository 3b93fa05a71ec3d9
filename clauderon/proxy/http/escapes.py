"""Undo what URLs, JSON, JavaScript, HTML and Markdown make of a character, wherever they do. Pure; knows no secret.

Each writer escapes other characters, and one may write what another wrote. So the ways to write a secret are not
listed: the words in which something is escaped are read, as often as something is, up to three times.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

_LAYERS = 3
_BLOCK = 4096
_NAMED = {
    "amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'", "plus": "+", "sol": "/", "bsol": "\\", "equals": "=",
    "percnt": "%", "num": "#", "semi": ";", "colon": ":", "comma": ",", "period": ".", "excl": "!", "quest": "?",
    "ast": "*", "dollar": "$", "commat": "@", "lowbar": "_", "lpar": "(", "rpar": ")", "lsqb": "[", "lbrack": "[",
    "rsqb": "]", "rbrack": "]", "lcub": "{", "lbrace": "{", "rcub": "}", "rbrace": "}", "vert": "|", "verbar": "|",
    "Hat": "^", "grave": "`",
}  # fmt: skip


class Word(NamedTuple):
    """A word of a text as it is once its escapes are undone, by these steps. start, end: where it is in the text."""

    read: bytes
    start: int
    end: int
    steps: tuple[re.Pattern[bytes], ...]

    def places(self, text: bytes) -> list[int]:
        """Where in the text each byte of `read` begins, and then `end`."""
        raw = text[self.start : self.end]
        places = list(range(self.start, self.end + 1))
        for step in self.steps:
            kept: list[int] = []
            at = 0
            for match in step.finditer(raw):
                kept += places[at : match.start() + 1]
                at = match.end()
            raw, places = step.sub(_character_of, raw), kept + places[at:]
        return places


class Escapes:
    """The escapes of `letters`, and those of escapes, in words made of `alphabet`. No word is longer than `most` before
    its first escape; shorter ones than `least` are passed over."""

    __slots__ = ("_alphabet", "_any", "_apart", "_each", "_least", "_most")

    def __init__(self, letters: bytes, alphabet: bytes, least: int, most: int) -> None:
        self._alphabet = alphabet
        self._least, self._most = least, most
        code = b"(?:%b)" % b"|".join(_either_case(b"%02x" % byte) for byte in letters)
        signs = b"".join(re.escape(bytes([byte])) for byte in letters if not bytes([byte]).isalnum())
        number = b"|".join(b"%d" % byte for byte in letters)
        names = b"|".join(name.encode() for name, letter in _NAMED.items() if letter.encode() in letters)
        each = (
            rb"%%(?:%b|25(?=[2-7][0-9A-Fa-f]))" % code,
            rb"\\(?:u00%b|x%b|[%b]|\\(?=[ux/\\]))" % (code, code, signs),
            rb"&(?:#0{0,5}(?:%b)|#[xX]0{0,4}%b|%b|amp(?=;#));" % (number, code, names),
        )
        # One by one: what begins with one byte is found by that, fast.
        self._each = [(pattern[:1], re.compile(pattern)) for pattern in each]
        self._any = re.compile(b"|".join(each))
        # What one of them wrote may have had, before, what looks like an escape of another.
        self._apart = [pattern for _, pattern in self._each if b"\\" in letters]

    def words(self, text: bytes) -> Iterator[Word]:
        """The words with an escape in them, one layer after the other undone."""
        for start, end in sorted(self._spans(text)):
            raw = text[start:end]
            for step in self._apart:
                yield Word(step.sub(_character_of, raw), start, end, (step,))
            for layer in range(1, _LAYERS + 1):
                read = self._any.sub(_character_of, raw)
                if read == raw:
                    break
                yield Word(read, start, end, (self._any,) * layer)
                raw = read

    def _spans(self, text: bytes) -> set[tuple[int, int]]:
        spans = set()
        for mark, pattern in self._each:
            if mark not in text:
                continue
            end = 0
            while (match := pattern.search(text, end)) is not None:
                before = text[max(end, match.start() - self._most) : match.start()]
                start = match.start() - len(before) + len(before.rstrip(self._alphabet))
                end = match.end()
                while True:
                    block = text[end : end + _BLOCK]
                    other = len(block.lstrip(self._alphabet))
                    end += len(block) - other
                    if other or not block:
                        break
                if end - start >= self._least:
                    spans.add((start, end))
        return spans


def _either_case(code: bytes) -> bytes:
    return b"".join(
        b"[%b%b]" % (letter.lower(), letter.upper()) if letter.isalpha() else letter
        for letter in (code[:1], code[1:])
    )


@lru_cache(maxsize=1024)
def _meaning(escape: bytes) -> bytes:
    if escape[:1] == b"%" or escape[:2] in (b"\\u", b"\\x"):
        return bytes([int(escape[-2:], 16)])
    if escape[:3] in (b"&#x", b"&#X"):
        return bytes([int(escape[3:-1], 16)])
    if escape[:2] == b"&#":
        return bytes([int(escape[2:-1])])
    return _NAMED[escape[1:-1].decode()].encode() if escape[:1] == b"&" else escape[1:]


def _character_of(match: re.Match[bytes]) -> bytes:
    return _meaning(match[0])
