"""Asks for a line on the terminal that is not shown, and gives the terminal back as it was, whatever happens.

What was typed is never kept here. Knows nothing of what it is for.
"""

from __future__ import annotations

import contextlib
import os
import select
import termios

# A terminal cuts a line there, without a word.
MOST_TYPED = 4095
# What was pasted comes at once.
_REST_S = 0.05


class NotALine(ValueError):
    """What was typed cannot be taken; the text says why."""


def _say(text: str) -> None:
    """To the terminal, also where stderr goes elsewhere: nobody waits for a question that is not seen."""
    with contextlib.suppress(OSError):
        if os.isatty(2):
            os.write(2, text.encode())
        else:
            with open(os.ctermid(), "wb", buffering=0) as terminal:
                terminal.write(text.encode())


def hidden_line(question: str) -> bytes:
    """The line typed on stdin, without its end; empty where none was typed (Ctrl-D).

    Raises NotALine for more than one line, or one that the terminal cut. KeyboardInterrupt passes.
    """
    before = termios.tcgetattr(0)
    quiet = termios.tcgetattr(0)
    quiet[3] = (quiet[3] & ~termios.ECHO) | termios.ICANON | termios.ISIG
    # No Ctrl-Z: after it the shell would have switched echo on again.
    quiet[6][termios.VSUSP] = b"\0"
    try:
        # What was typed before the question is not an answer to it.
        termios.tcsetattr(0, termios.TCSAFLUSH, quiet)
        _say(question)
        line = os.read(0, MOST_TYPED + 1)
        # What follows need not end with a line: it can be read only so.
        quiet[3] &= ~termios.ICANON
        termios.tcsetattr(0, termios.TCSANOW, quiet)
        rest = os.read(0, MOST_TYPED) if select.select([0], [], [], _REST_S)[0] else b""
    finally:
        # The rest of what was pasted is not for the shell to run.
        termios.tcsetattr(0, termios.TCSAFLUSH, before)
        _say("\n")
    if len(line) >= MOST_TYPED:
        raise NotALine("it is longer than a line of the terminal can be")
    if rest.strip(b"\0"):  # a second Ctrl-D is a NUL
        raise NotALine("more than one line was pasted")
    return line.removesuffix(b"\n")
