"""A value as text, and texts as a table: for a terminal without driving it, for `cut` without breaking it. Pure."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from clauderon.config.schema import NOTHING
from clauderon.visible import Visible

CONTROL_ESCAPES = Visible()
ESCAPES = Visible(also="\\")
# A last column narrower than this is useless.
_LEAST_WIDTH = 8
STYLES = {"red": "31", "yellow": "33", "green": "32", "dim": "2", "bold": "1", "cyan": "36"}


class Column(NamedTuple):
    """key: the field of each row; styles: a cell's first word to a style, for terminals only.

    optional: a table has no such column where every row is empty in it.
    width: the least width, where rows are printed one by one and none knows the others.
    """

    key: str
    title: str
    styles: Mapping[str, str] = NOTHING
    optional: bool = False
    width: int = 0


def text_of(value: Any) -> str:
    """A value of a row as text for people and for tsv: None is empty, a list is joined by commas."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(text_of(item) for item in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={text_of(item)}" for key, item in value.items())
    return str(value)


def person_text(key: str, value: Any) -> str:
    """`text_of`, with a time (seconds since the epoch) as a clock here would show it."""
    if (key.endswith("_at") or key == "last_activity") and isinstance(value, float):
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(value))
    return text_of(value)


def cell(row: Mapping[str, Any], column: Column) -> str:
    """One cell of a row as text, with control characters escaped."""
    return text_of(row.get(column.key)).translate(ESCAPES)


def _width(text: str) -> int:
    """Columns on a terminal: East Asian wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def padded(texts: Sequence[str], columns: Sequence[Column], width: int | None = None) -> str:
    """One line, each text at least as wide as its column says. width: of the terminal; the last text gives way."""
    parts = [text + " " * (column.width - _width(text)) for text, column in zip(texts, columns, strict=True)]
    if width is not None:
        room = width - sum(_width(part) + 2 for part in parts[:-1])
        parts[-1] = _end_of(parts[-1], max(room, _LEAST_WIDTH))
    return "  ".join(parts).rstrip() + "\n"


def _end_of(text: str, room: int) -> str:
    """The text, or as much of its end as there is room for: of an image or a path the end tells most."""
    if _width(text) <= room:
        return text
    while _width(text) >= room:
        text = text[1:]
    return f"…{text}"


def table(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[Column], color: bool, width: int | None = None
) -> str:
    """The rows under their titles. width: of the terminal; the last column gives way so that a row is one line."""
    columns = [c for c in columns if not c.optional or any(text_of(row.get(c.key)) for row in rows)]
    cells = [[cell(row, column) for column in columns] for row in rows]
    widths = [max(_width(c.title), *(_width(line[i]) for line in cells)) for i, c in enumerate(columns)]
    if width is not None and sum(widths) + 2 * (len(widths) - 1) > width:
        room = width - sum(widths[:-1]) - 2 * (len(widths) - 1)
        if room < _LEAST_WIDTH:
            columns, widths, cells = columns[:-1], widths[:-1], [line[:-1] for line in cells]
        else:
            widths[-1] = room
            cells = [[*line[:-1], _end_of(line[-1], room)] for line in cells]
    lines = [[c.title for c in columns], *cells]
    out = []
    for number, line in enumerate(lines):
        parts = []
        for index, (text, width, column) in enumerate(zip(line, widths, columns, strict=True)):
            pad = "" if index == len(columns) - 1 else " " * (width - _width(text))
            style = "dim" if number == 0 else column.styles.get(text.partition(" ")[0])
            shown = f"\x1b[{STYLES[style]}m{text}\x1b[0m" if color and style else text
            parts.append(shown + pad)
        out.append("  ".join(parts).rstrip() + "\n")
    return "".join(out)
