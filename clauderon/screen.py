"""A terminal's screen as text, from the bytes a program sent to its terminal; drawn by pyte, imported only here.

Only what moves the cursor, erases, scrolls or wraps is passed on; whatever else a terminal can be told (titles, the
clipboard, colours, reports) is dropped. What comes out is safe to show. Pure: no terminal, no process.
"""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Callable

from pyte import Screen as Canvas
from pyte import modes
from pyte.screens import wcwidth

from clauderon import visible

# A sequence without an end is given up after this many characters.
_LONGEST = 4096
_MOST = 9999
# Lines that are remembered once they have left the screen, and characters that a program may have repeated for it.
_LINES = 200_000
_REPEATS = 500_000
# What one place on the screen may hold: a character and a few marks on it.
_IN_ONE_PLACE = 16
_TOKEN = re.compile(
    r"(?:\x1b\[|\x9b)(?P<parameters>[0-?]*)(?P<between>[ -/]*)(?P<final>[@-~])"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|(?=\x1b))"
    r"|\x1b(?P<escape>[ -/]*[0-Z\\^-~`])"
    r"|(?P<control>[\x00-\x1a\x1c-\x1f\x7f-\x8f\x91-\x97\x99\x9a\x9c])"
    r"|(?P<text>[^\x00-\x1f\x7f-\x9f]+)"
)
_ALTERNATE = {"47", "1047", "1049"}


class _Page(Canvas):
    """The screen, and what left it at its top."""

    def __init__(self, columns: int, lines: int) -> None:
        self.gone: deque[str] = deque(maxlen=_LINES)
        self.is_alternate = False
        super().__init__(columns, lines)

    def index(self) -> None:
        top, bottom = self.margins or (0, self.lines - 1)
        if self.cursor.y == bottom and top == 0 and not self.is_alternate:
            self.gone.append(self.row(0))
        super().index()

    def row(self, number: int) -> str:
        if number not in self.buffer:
            return ""
        line = self.buffer[number]
        return "".join(line[column].data for column in range(self.columns)).rstrip()


class Screen:
    """columns, lines: the size that the program drew for."""

    def __init__(self, columns: int = 80, lines: int = 24) -> None:
        self._page = _Page(max(2, min(columns, 1000)), max(2, min(lines, 500)))
        self._decode = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._rest = ""
        self._main: dict[int, object] | None = None
        self._last = ""
        self._repeats = _REPEATS

    def feed(self, data: bytes) -> None:
        """Take the next bytes that a program wrote to its terminal."""
        text = self._rest + self._decode.decode(data)
        self._rest = ""
        offset = 0
        while offset < len(text):
            token = _TOKEN.match(text, offset)
            if token is None or (
                token.end() == len(text) and text[offset] == "\x1b" and token["final"] is None
            ):
                # The beginning of a sequence whose end is still to come.
                if len(text) - offset < _LONGEST:
                    self._rest = text[offset:]
                    return
                offset += 1
                continue
            offset = token.end()
            if token["text"] is not None:
                self._draw(token["text"])
            elif token["final"] is not None:
                self._control_sequence(token["parameters"], token["between"], token["final"])
            elif token["escape"] is not None:
                self._escape(token["escape"])
            elif token["control"] is not None:
                self._control(token["control"])

    def scrolled(self) -> list[str]:
        """The lines that have left the screen at its top since the last time this was asked."""
        rows = [visible.line(row) for row in self._page.gone]
        self._page.gone.clear()
        return rows

    def lines(self) -> list[str]:
        """What is on the screen, without the empty lines at its end."""
        rows = [visible.line(self._page.row(number)) for number in range(self._page.lines)]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    def settled(self) -> list[str]:
        """The lines above the one that is being written; none while a program has the whole screen to itself."""
        return [] if self._page.is_alternate else self.lines()[: self._page.cursor.y]

    def _draw(self, text: str) -> None:
        run = ""
        for char in text:
            # Surrogates are bytes that were no UTF-8; they take a place. What takes none is bound to its neighbour.
            if wcwidth(char) > 0:
                run += char
                continue
            if run:
                self._page.draw(run)
                self._last, run = run[-1], ""
            self._attach(char)
        if run:
            self._page.draw(run)
            self._last = run[-1]

    def _attach(self, char: str) -> None:
        page = self._page
        row = page.buffer[page.cursor.y]
        column = max(0, min(page.cursor.x, page.columns) - 1)
        if not row[column].data and column:
            column -= 1  # the second half of a wide character
        cell = row[column]
        if len(cell.data) < _IN_ONE_PLACE:
            row[column] = cell._replace(data=cell.data + char)

    def _control(self, char: str) -> None:
        page = self._page
        if char in "\n\x0b\x0c\x84":
            page.linefeed()
        elif char == "\x85":
            page.index()
            page.carriage_return()
        elif char == "\r":
            page.carriage_return()
        elif char == "\b":
            page.backspace()
        elif char == "\t":
            page.tab()
        elif char == "\x8d":
            page.reverse_index()

    def _escape(self, word: str) -> None:
        page = self._page
        known: dict[str, Callable[[], None]] = {
            "D": page.index,
            "M": page.reverse_index,
            "7": page.save_cursor,
            "8": page.restore_cursor,
            "c": self._reset,
        }
        if word == "E":
            page.index()
            page.carriage_return()
        elif word in known:
            known[word]()

    def _reset(self) -> None:
        self._main, self._page.is_alternate = None, False
        self._page.reset()

    def _control_sequence(self, parameters: str, between: str, final: str) -> None:
        if final in "hl" and parameters.startswith("?"):
            self._modes(parameters[1:].split(";"), final == "h")
        if between or parameters[:1] in tuple("<=>?"):
            return
        numbers = [min(int(each), _MOST) if each.isdecimal() else 0 for each in re.split("[;:]", parameters)]
        first = numbers[0]
        second = numbers[1] if len(numbers) > 1 else 0
        page = self._page
        if final in "Hf":
            page.cursor_position(first or 1, second or 1)
        elif final == "r":
            page.set_margins(first or None, second or None)
        elif final in "JK":
            (page.erase_in_display if final == "J" else page.erase_in_line)(min(first, 2))
        elif final in "ST":
            self._scroll(min(first or 1, page.lines), up=final == "S")
        elif final == "b" and self._last and self._repeats > 0:
            count = min(first or 1, page.columns)
            self._repeats -= count
            page.draw(self._last * count)
        elif final in "su":
            (page.save_cursor if final == "s" else page.restore_cursor)()
        elif final in "hl" and first == 4:
            (page.set_mode if final == "h" else page.reset_mode)(modes.IRM)
        elif final in _MOVES:
            getattr(page, _MOVES[final])(first or 1)

    def _modes(self, numbers: list[str], on: bool) -> None:
        page = self._page
        for number in numbers[:16]:
            if number in _ALTERNATE:
                self._alternate(on)
            elif number == "7":
                (page.set_mode if on else page.reset_mode)(modes.DECAWM)
            elif number == "6":
                (page.set_mode if on else page.reset_mode)(modes.DECOM)

    def _alternate(self, on: bool) -> None:
        page = self._page
        if on and not page.is_alternate:
            self._main = dict(page.buffer)
            page.save_cursor()
            page.is_alternate = True
            page.buffer.clear()
        elif not on and page.is_alternate:
            page.is_alternate = False
            page.buffer.clear()
            page.buffer.update(self._main or {})  # type: ignore[arg-type]
            page.restore_cursor()
            self._main = None

    def _scroll(self, count: int, *, up: bool) -> None:
        page = self._page
        top, bottom = page.margins or (0, page.lines - 1)
        if up and top == 0 and not page.is_alternate:
            page.gone.extend(page.row(number) for number in range(count))
        kept = [page.buffer.pop(number, None) for number in range(top, bottom + 1)]
        count = min(count, len(kept))
        for number, row in enumerate(kept[count:] if up else kept[: len(kept) - count]):
            if row is not None:
                page.buffer[top + number + (0 if up else count)] = row


_MOVES = {
    "@": "insert_characters",
    "A": "cursor_up",
    "B": "cursor_down",
    "C": "cursor_forward",
    "D": "cursor_back",
    "E": "cursor_down1",
    "F": "cursor_up1",
    "G": "cursor_to_column",
    "L": "insert_lines",
    "M": "delete_lines",
    "P": "delete_characters",
    "X": "erase_characters",
    "`": "cursor_to_column",
    "a": "cursor_forward",
    "d": "cursor_to_line",
    "e": "cursor_down",
}


def size_of(data: bytes) -> tuple[int, int]:
    """Columns and lines that a program drew for, guessed from where it sent the cursor and from its longest line."""
    rows = [int(row) for row in re.findall(rb"\x1b\[(\d{1,3})(?:;\d{1,3})?[Hfdr]", data)]
    columns = [int(column) for column in re.findall(rb"\x1b\[\d{0,3};(\d{1,3})[Hf]", data)]
    return min(max([80, *columns]), 500), min(max([24, *rows]), 200)
