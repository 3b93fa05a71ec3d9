"""Typed, numbered placeholders: what may differ between two runs, and the shape it must then have.

A text is a tuple of pieces: a plain string, or (kind, number). Pure; knows neither files nor processes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from clauderon.known.table import AGENTS

Piece = str | tuple[str, int]
Text = tuple[Piece, ...]

# Kind to shape, in the order they are looked for: the longer before what it contains.
SHAPES: dict[str, str] = {
    "SHA256": r"sha256:[0-9a-f]{64}",
    "CONTAINER": r"[0-9a-f]{64}",
    "UUID": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "TIME": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)",
    "DATE": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? [+-]\d{4} [A-Z]{3}",
    "EPOCH": r"1[6-9]\d{8}\.\d+",
    "SPAN": r"(?:Less than a|About an?|\d+) (?:second|minute|hour)s?\b(?: ago)?",
    "SHORT": r"[0-9a-f]{12}",
    "ID": r"[0-9a-f]{12}",
    "TMP": r"tmp[a-z0-9_]{8}",
    # An address that clauderon chose, and the network that docker chose, which depends on what was there before.
    "IP": r"198\.18\.\d{1,3}\.\d{1,3}",
    "NET": r"198\.18\.\d{1,3}(?=\.\d)",
}
# Kinds with a fixed value: the scenario's directory and the engine's, and the programs of all agents in a row, so that
# one more of them is no new recording.
FIXED = ("WORK", "ENGINE", "AGENTS")
PROGRAMS = " ".join(known.program for known in AGENTS.values())

_TOKEN = re.compile(r"<(?:(WORK|ENGINE|AGENTS)|([A-Z][A-Z0-9]*):(\d+))>")
_EDGE = r"(?<![0-9A-Za-z]){}(?![0-9A-Za-z])"
_ANY = re.compile(
    "|".join(
        f"(?P<{kind}>{_EDGE.format(shape)})" for kind, shape in SHAPES.items() if kind not in ("SHORT", "IP")
    )
)
_IP = re.compile(_EDGE.format(SHAPES["IP"]))
_DIGITS = re.compile(r"\d")


class Numbering:
    """Gives each value of a kind its number, in the order of first sight; one for a whole transcript.

    fixed: the values of the FIXED kinds in this recording, the longest path first.
    """

    def __init__(self, fixed: Mapping[str, str]) -> None:
        self._fixed = sorted(fixed.items(), key=lambda item: -len(item[1]))
        self._numbers: dict[tuple[str, str], int] = {}
        self._count: dict[str, int] = {}
        self._literal: set[str] = set()

    @property
    def kinds(self) -> list[str]:
        return sorted(self._count)

    def _number(self, kind: str, value: str) -> int:
        if (kind, value) not in self._numbers:
            self._count[kind] = self._count.get(kind, 0) + 1
            self._numbers[kind, value] = self._count[kind]
        return self._numbers[kind, value]

    def pieces(self, raw: str, *, ours: bool) -> Text:
        """`raw` with what is volatile replaced. ours: made by clauderon (argv, stdin), not by the tool."""
        pieces: list[Piece] = [raw]
        for kind, value in self._fixed:
            pieces = [part for piece in pieces for part in _split_fixed(piece, kind, value)]
        out: list[Piece] = []
        for piece in pieces:
            out.extend(self._split(piece, ours) if isinstance(piece, str) else [piece])
        return _joined(out)

    def _split(self, raw: str, ours: bool) -> Iterable[Piece]:
        position = 0
        for match in sorted(
            [*_ANY.finditer(raw), *_IP.finditer(raw)], key=lambda found: (found.start(), -found.end())
        ):
            if match.start() < position:
                continue
            kind, value = match.lastgroup or "IP", match[0]
            if kind == "IP" and (kind, value) not in self._numbers:
                if not ours:
                    self._literal.add(value)
                if value in self._literal:
                    continue
            if kind == "ID":
                whole = next(
                    (n for (k, v), n in self._numbers.items() if k == "CONTAINER" and v.startswith(value)), 0
                )
                if whole:
                    yield raw[position : match.start()]
                    yield ("SHORT", whole)
                    self._count["SHORT"] = 1
                    position = match.end()
                    continue
                if not _DIGITS.search(value):
                    continue
            yield raw[position : match.start()]
            yield (kind, self._number(kind, value))
            position = match.end()
        yield raw[position:]


def _split_fixed(piece: Piece, kind: str, value: str) -> Iterable[Piece]:
    if not isinstance(piece, str):
        yield piece
        return
    first, *rest = piece.split(value)
    yield first
    for part in rest:
        yield (kind, 0)
        yield part


def _joined(pieces: Iterable[Piece]) -> Text:
    return tuple(piece for piece in pieces if piece != "")


def show(text: Text) -> str:
    """Pieces as they stand in a file, before quoting."""
    return "".join(
        _TOKEN.sub(lambda match: "\\x3c" + match[0][1:], piece)
        if isinstance(piece, str)
        else f"<{piece[0]}>"
        if piece[1] == 0
        else f"<{piece[0]}:{piece[1]}>"
        for piece in text
    )


def parse(shown: str) -> Text:
    """The inverse of `show` (a literal token was `\\x3c...`, which the caller's unescaping turns back)."""
    pieces: list[Piece] = []
    position = 0
    for match in _TOKEN.finditer(shown):
        kind = match[1] or match[2]
        if match[1] is None and kind not in SHAPES:
            raise ValueError(f"no such placeholder kind: {match[0]}")
        pieces += [shown[position : match.start()], (kind, int(match[3] or 0))]
        position = match.end()
    return _joined([*pieces, shown[position:]])


def fake(kind: str, number: int) -> str:
    """A value of the kind's shape, the same at every replay."""
    pattern = f"{number:02x}c0ffee"
    hexadecimal = (pattern * 8)[:64]
    values = {
        "SHA256": f"sha256:{hexadecimal}",
        "CONTAINER": hexadecimal,
        "SHORT": hexadecimal[:12],
        "ID": (f"{number:02x}1d" * 3)[:12],
        "UUID": f"{number:08x}-0000-4000-8000-000000000000",
        "TIME": f"2024-03-01T12:{number // 60 % 60:02d}:{number % 60:02d}.000000001Z",
        "DATE": f"2024-03-01 12:{number // 60 % 60:02d}:{number % 60:02d} +0000 UTC",
        "EPOCH": f"{1709294400 + number}.25",
        "SPAN": f"{number + 1} seconds",
        "TMP": f"tmp{number:08d}",
        "IP": f"198.18.255.{number}",
        "NET": f"198.18.{number}",
    }
    return values[kind]
