"""A patch for a person at a terminal: colours are ours alone, and whatever hides, moves or drives is spelled out.

Reads git's uncoloured patch; what a line is comes from the hunk's own counts, so that content cannot pass for a header.
Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from clauderon.visible import Visible

_HUNK = re.compile(r"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")
_BOLD, _CYAN, _RED, _GREEN = "1", "36", "31", "32"
_KINDS = {_BOLD: "head", _CYAN: "hunk", _RED: "old", _GREEN: "new"}
_MARK = ("\x1b[7m", "\x1b[27m")
_PLAIN = Visible("\t")
_MARKED = Visible("\t", mark=_MARK)
_END = re.compile(r"[ \t]+\Z")


def shown(patch: bytes, color: bool) -> str:
    """The text for a terminal; escapes are in reverse video where there is colour, to tell them from the same
    characters written out."""
    if not patch:
        return ""
    rows = patch.decode("utf-8", "surrogateescape").removesuffix("\n").split("\n")
    if not color:
        return "".join(row.translate(_PLAIN) + "\n" for row in rows)
    return "".join(_painted(row, style) + "\n" for row, style in _styled(rows))


def parts(patch: bytes) -> Iterator[tuple[str, str]]:
    """Each line as text in which all is visible, and what it is: `old`, `new`, `hunk`, `head`, or "" for the rest."""
    rows = patch.decode("utf-8", "surrogateescape").removesuffix("\n").split("\n") if patch else []
    for row, style in _styled(rows):
        yield row.translate(_PLAIN), _KINDS.get(style, "")


def _styled(rows: list[str]) -> Iterator[tuple[str, str]]:
    """Each row with its style, empty for none."""
    old = new = 0
    in_patch = False
    for row in rows:
        if old > 0 or new > 0:
            sign = row[:1]
            old -= sign in ("-", " ", "")
            new -= sign in ("+", " ", "")
            yield row, {"-": _RED, "+": _GREEN}.get(sign, "")
        elif hunk := _HUNK.match(row):
            old, new = (1 if count is None else int(count) for count in hunk.groups())
            yield row, _CYAN
        else:
            in_patch = in_patch or row.startswith("diff --git ")
            yield row, _BOLD if in_patch and not row.startswith("\\") else ""


def _painted(row: str, style: str) -> str:
    text = row.translate(_MARKED)
    if style == _GREEN:
        # Spaces nobody sees, as git shows them.
        text = _END.sub(lambda found: f"\x1b[41m{found[0]}\x1b[49m", text)
    return f"\x1b[{style}m{text}\x1b[0m" if style else text
