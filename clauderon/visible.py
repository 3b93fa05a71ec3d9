"""What a terminal acts on, hides or reorders, as characters that can be seen.

Text of a container's (names, logs, a patch) is shown through here. Pure: knows characters, not who prints them.
"""

from __future__ import annotations

import re

# Code points that show nothing although Unicode calls them letters, marks or symbols: fillers, variation selectors
# (whole messages fit into those), a joiner, a blank Braille cell.
_BLANK = (
    (0x034F, 0x034F),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x2800, 0x2800),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFFA0, 0xFFA0),
    (0x1D159, 0x1D159),
    (0xE0000, 0xE0FFF),
)
# Spaces that a person knows as such: the plain one, and the one of Chinese and Japanese text.
_SPACES = " \u3000"
_SHORT = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def is_hidden(char: str) -> bool:
    """Whether a terminal shows nothing for `char`, or does something instead: controls, formats, odd spaces."""
    if char in _SPACES:
        return False
    # Not printable: controls (C0, C1, DEL), bidirectional and zero-width formats, tags, separators, odd spaces,
    # surrogates, private and unassigned code points.
    return not char.isprintable() or any(first <= ord(char) <= last for first, last in _BLANK)


def escaped(char: str) -> str:
    r"""`char` as a Python string would have it: `\x1b`, `\u202e`, `\n`; a byte that was no UTF-8 as `\xNN`."""
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x100:
        return _SHORT.get(char) or f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class Visible(dict[int, str | int]):
    """For `str.translate`: every hidden character escaped but those in `keep`; `also` are escaped by a backslash.

    mark: put before and after an escape, to tell it from the same characters written out.
    """

    def __init__(self, keep: str = "", *, also: str = "", mark: tuple[str, str] = ("", "")) -> None:
        super().__init__({ord(char): char for char in keep})
        self.update({ord(char): "\\" + char for char in also})
        self._mark = mark

    def __missing__(self, code: int) -> str | int:
        char = chr(code)
        answer = escaped(char).join(self._mark) if is_hidden(char) else code
        self[code] = answer
        return answer


_LINES = Visible("\n\t")
_LINE = Visible()
_PLAIN = re.compile(r"[ -~\n\t]*\Z")


def lines(text: str) -> str:
    """Text of several lines, safe to show: newlines and tabs stay."""
    return text if _PLAIN.match(text) else text.translate(_LINES)


def line(text: str) -> str:
    """A name or a phrase on one line, safe to show."""
    return text if text.isascii() and text.isprintable() else text.translate(_LINE)
