"""Our terminal after somebody else's program had it: every mode left that a program can have entered, as it was
before. And its size.

A program that one leaves running goes on in the modes it asked for, and one that was killed never left them. Writes
to the terminal; knows nothing of who had it.
"""

from __future__ import annotations

import contextlib
import os
import termios
from collections.abc import Iterator

# Off: mouse tracking and its encodings, focus events, alternate scroll, bracketed paste, application cursor keys and
# keypad, reports of colour scheme and size, reverse video, origin mode, margins, insert mode, a key protocol's flags.
_OFF = (
    2026,
    9,
    1000,
    1001,
    1002,
    1003,
    1004,
    1005,
    1006,
    1007,
    1015,
    1016,
    2004,
    2031,
    2048,
    1,
    66,
    5,
    6,
    45,
    69,
)
_KEYS = "\x1b[<16u\x1b[=0u\x1b[>4m"
LEAVE = "".join(
    (
        *(f"\x1b[?{mode}l" for mode in _OFF),
        _KEYS,
        # The alternate screen by each of its names: 1049 puts the cursor where it was, the others leave it.
        "\x1b[?1049l\x1b[?1047l\x1b[?47l",
        # Terminals keep the key protocol's flags for each screen.
        _KEYS,
        "\x1b>\x1b[4l\x1b[20l\x1b[?7h\x1b[?25h\x1b[0 q\x1b]8;;\x1b\\\x1b(B\x0f\x1b[0m\x1b[r",
        # What was drawn stays; a line of our own is below it, wherever the cursor was.
        "\x1b[9999;1H\r\n",
    )
)


def size() -> tuple[int, int] | None:
    """Lines and columns of the person's terminal, whichever of our three streams it is on; None without one."""
    for descriptor in range(3):
        with contextlib.suppress(OSError):
            columns, lines = os.get_terminal_size(descriptor)
            if columns and lines:
                return lines, columns
    return None


@contextlib.contextmanager
def given_away(*, always: bool = True) -> Iterator[None]:
    """Leave every mode once the body has ended, and give the line discipline its settings back.

    always: also where the body ends by itself, and not only by an exception. Nothing is done without a terminal.
    """
    before = _settings()
    done = False
    try:
        yield
        done = True
    finally:
        if always or not done:
            leave(before)
        elif before is not None:
            _restore(before)


def leave(settings: list[object] | None = None) -> None:
    """Leave every mode, and forget what was typed meanwhile: reports of a mouse that moved on are no commands."""
    if os.environ.get("TERM", "dumb") == "dumb":
        return
    with contextlib.suppress(OSError):
        if os.isatty(1):
            os.write(1, LEAVE.encode("ascii"))
    if settings is not None:
        _restore(settings)
    with contextlib.suppress(OSError, termios.error):
        termios.tcflush(0, termios.TCIFLUSH)


def _settings() -> list[object] | None:
    try:
        return termios.tcgetattr(0)
    except (OSError, termios.error):
        return None


def _restore(settings: list[object]) -> None:
    with contextlib.suppress(OSError, termios.error):
        termios.tcsetattr(0, termios.TCSADRAIN, settings)  # type: ignore[arg-type]
