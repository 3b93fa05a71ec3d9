"""The only writer: answers go to stdout (human, tsv or JSON), everything else to stderr.

Nothing here decides what to say, only how it looks. rich is imported only when a bar is drawn on a terminal.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TextIO

from clauderon import progress, streams, visible
from clauderon.cells import (
    CONTROL_ESCAPES,
    ESCAPES,
    STYLES,
    Column,
    cell,
    padded,
    person_text,
    table,
    text_of,
)
from clauderon.errors import ClauderonError, Declined
from clauderon.progress import Progress


def _terminal_width() -> int | None:
    """The columns of the terminal behind stdout; None where stdout is none, and a line may be any length."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None if sys.stdout.isatty() else None
    except (OSError, ValueError):
        return None


Format = Literal["table", "tsv", "json"]
ENVELOPE_SCHEMA = 1
_FIRST_LINES, _LAST_LINES = 8, 4


class Output:
    """How this process speaks. `command` names the command in the JSON envelope."""

    def __init__(
        self, format_: Format = "table", *, quiet: bool = False, null: bool = False, command: str = ""
    ) -> None:
        self.format = format_
        self.quiet = quiet
        self.null = null
        self.debug = False
        self.command = command
        self.warnings: list[str] = []
        self._bar: Progress | None = None

    @property
    def json(self) -> bool:
        """Whether the answer is JSON."""
        return self.format == "json"

    # Answers

    def records(
        self,
        rows: Sequence[Mapping[str, Any]],
        columns: Sequence[Column],
        *,
        empty: str = "",
        ok: bool = True,
    ) -> None:
        """A list of records: JSON has every field, table and tsv the columns.

        empty: said on stderr when there are no rows and a person reads. ok: whether the answer is the one hoped for.
        """
        if self.json:
            self._envelope(list(rows), ok)
        elif self.format == "tsv" or self.null:
            self._write("".join(self._line(row, columns) for row in rows))
        elif rows:
            self._write(table(rows, columns, colored(sys.stdout), _terminal_width()))
        elif empty:
            self.note(empty)

    def item(self, row: Mapping[str, Any], columns: Sequence[Column]) -> None:
        """One record of many that are not known yet: a line of its own, in JSON without an envelope."""
        if self.json:
            self._write(json.dumps(row, ensure_ascii=sys.stdout.isatty()) + "\n")
        elif self.format == "tsv" or self.null:
            self._write(self._line(row, columns))
        else:
            self._write(padded([cell(row, column) for column in columns], columns, _terminal_width()))

    def head(self, columns: Sequence[Column]) -> None:
        """The titles above records that come one by one, for a person; tsv and JSON have none."""
        if self.format == "table" and not self.null:
            self._write(padded([column.title for column in columns], columns))

    def _line(self, row: Mapping[str, Any], columns: Sequence[Column]) -> str:
        """With --null byte for byte: nothing ends a record but a NUL, which no name or path can hold."""
        if self.null:
            return "\t".join(text_of(row.get(column.key)) for column in columns) + "\0"
        return "\t".join(cell(row, column) for column in columns) + "\n"

    def record(self, data: Mapping[str, Any]) -> None:
        """One record: `key: value` lines for a person, `key<TAB>value` lines as tsv."""
        if self.json:
            self._envelope(dict(data))
        elif self.format == "tsv":
            self._write(
                "".join(f"{key}\t{text_of(value).translate(ESCAPES)}\n" for key, value in data.items())
            )
        else:
            width = max((len(key) for key in data), default=0)
            lines = (
                f"{key.replace('_', ' '):<{width}}  {person_text(key, value).translate(CONTROL_ESCAPES)}".rstrip()
                for key, value in data.items()
            )
            self._write("".join(line + "\n" for line in lines))

    def value(self, text: str, data: Any = None) -> None:
        """One value, as a line; in JSON `data` (or the text itself) is the envelope's data."""
        if self.json:
            self._envelope(text if data is None else data)
        else:
            self._write(text + ("\0" if self.null else "\n"))

    def text(self, text: str) -> None:
        """Text as it is: help, a script, a diff."""
        self._write(text)

    def raw(self, data: bytes) -> None:
        """Bytes as they are: a diff of files in any encoding."""
        self._write_bytes(data)

    def done(self, data: Any = None) -> None:
        """What was acted on, a record or a list of them; a table has the names alone, as docker prints them."""
        if self.json:
            self._envelope(data)
        elif self.format == "table":
            for row in [data] if isinstance(data, Mapping) else data or ():
                if "name" in row:
                    self._write(f"{row['name']}\n")
        elif self.format == "tsv" and isinstance(data, Mapping):
            self.record(data)
        elif self.format == "tsv":
            for row in data or ():
                self.item(row, [Column(key, key) for key in row])

    def _envelope(self, data: Any, ok: bool = True) -> None:
        body: dict[str, Any] = {"schema": ENVELOPE_SCHEMA, "command": self.command, "ok": ok, "data": data}
        if self.warnings:
            body["warnings"] = self.warnings
        self._write(
            json.dumps(body, ensure_ascii=sys.stdout.isatty(), indent=2 if sys.stdout.isatty() else None)
            + "\n"
        )

    def _write(self, text: str) -> None:
        """Bytes that were no UTF-8 when they were read (`surrogateescape`) leave as they came."""
        self._write_bytes(text.encode("utf-8", "surrogateescape"))

    def _write_bytes(self, data: bytes) -> None:
        """Raises BrokenPipeError when the reader went away, ClauderonError when the disk behind stdout is full."""
        try:
            sys.stdout.flush()
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            streams.silence(1)
            raise ClauderonError("stdout", (error.strerror or str(error)).lower()) from error

    # Words beside the answer

    def note(self, text: str) -> None:
        """Progress in words; silenced by -q."""
        if not self.quiet:
            self._say(text)

    def waiting(self, text: str) -> None:
        """A word on what does not answer; within the bar, if one is drawn just now."""
        if self._bar is not None:
            self._bar.update(text=text)
        else:
            self.note(text)

    def warn(self, text: str) -> None:
        """Something the person should know, though the command goes on; also in the JSON envelope."""
        self.warnings.append(text)
        self._say(text, f"clauderon: {paint('warning', 'yellow', sys.stderr)}: ")

    def fail(self, error: ClauderonError, exit_status: int) -> None:
        """A failure: `clauderon: what: why`, the hint, then the tool's own stderr, of a long one the ends; in JSON an
        envelope as well, with all of it.

        exit_status: what the process will end with, which need not be the error's own.
        """
        if self.json:
            body = {
                "schema": ENVELOPE_SCHEMA,
                "command": self.command,
                "ok": False,
                "error": {
                    "code": error.code,
                    "what": error.what,
                    "why": error.why,
                    "hint": error.hint,
                    "detail": error.detail,
                    "exit_status": exit_status,
                },
            }
            with contextlib.suppress(ClauderonError, OSError):  # stdout itself may be what failed
                self._write(json.dumps(body, ensure_ascii=sys.stdout.isatty()) + "\n")
        if isinstance(error, Declined):
            self._say(error.why)
            return
        self._say(f"{error.what}: {error.why}", f"{paint('clauderon', 'red', sys.stderr)}: ")
        if error.hint:
            self._say(f"hint: {error.hint}")
        if error.detail:
            self._say(_shortened(error.detail))

    def _say(self, text: str, ours: str = "") -> None:
        """ours: put before it as it is. The text may repeat what a container says, so it never brings a colour."""
        with contextlib.suppress(OSError, ValueError):  # a closed stderr is no reason to fail
            sys.stderr.write(ours + visible.lines(text) + "\n")
            sys.stderr.flush()

    def interrupted(self) -> None:
        """End the line on which a terminal shows ^C."""
        self._say("")

    # Progress

    @contextlib.contextmanager
    def progress(self, title: str) -> Iterator[Progress]:
        """A bar on a terminal; elsewhere the title, once, when the first step is reported."""
        if self.quiet:
            yield Progress()
        elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            with progress.bar(title) as shown:
                self._bar = shown
                try:
                    yield shown
                finally:
                    self._bar = None
        else:
            yield progress.Line(self.note, title)

    # Questions

    def can_ask(self) -> bool:
        """Whether somebody sees a question and can answer it."""
        return stdin_is_terminal() and sys.stderr.isatty()

    def confirm(self, question: str) -> bool:
        """Ask on the terminal; without one on stdin and stderr the answer is no."""
        if not self.can_ask():
            return False
        sys.stderr.write(f"{visible.lines(question)} [y/N] ")
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")


def colored(stream: TextIO) -> bool:
    """Whether this stream gets colour: a terminal, and neither NO_COLOR nor TERM=dumb."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return os.environ.get("CLICOLOR_FORCE", "0") not in ("", "0") or stream.isatty()


def paint(text: str, style: str, stream: TextIO) -> str:
    """`text` in one of STYLES where the stream shows colours."""
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if colored(stream) else text


def stdin_is_terminal() -> bool:
    """False for a closed stdin too."""
    try:
        return sys.stdin is not None and sys.stdin.isatty()
    except ValueError:
        return False


def _shortened(detail: str) -> str:
    """A tool's own words: their first and last lines where they would push ours off the screen."""
    lines = detail.rstrip("\n").split("\n")
    left_out = len(lines) - _FIRST_LINES - _LAST_LINES
    if left_out < 2:
        return "\n".join(lines)
    said = f"... {left_out} more lines; --json has them all ..."
    return "\n".join([*lines[:_FIRST_LINES], said, *lines[-_LAST_LINES:]])
