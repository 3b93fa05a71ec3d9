"""`--help` without typer, whose import and whose reading of every command cost seven times an empty program.

`share/help.txt` holds what typer says (scripts/docs writes it) at the usual widths; for any other, and for a command
line that is not plainly a question for help, the answer is None and typer gives it. Prints nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_TEXTS = Path(__file__).parent.parent / "share" / "help.txt"
# Begins a text's head line, `= FROM TO COMMAND...`; no line of a help begins so.
HEAD = "\n= "
_FLAGS = ("--help", "-h")
# What typer takes the width for where stdout is no terminal.
_NO_TERMINAL = 80


def answer(argv: Sequence[str], environ: Mapping[str, str]) -> str | None:
    """The help that the command line (without the program's name) asks for, at the width of this terminal."""
    *path, flag = argv or _FLAGS[:1]
    if flag not in _FLAGS or len(path) > 2 or any(" " in word for word in path):
        return None
    asked, width = " ".join(("clauderon", *path)), columns(environ)
    for text in _TEXTS.read_text("utf-8").split(HEAD)[1:]:
        head, _, body = text.partition("\n")
        least, most, command = head.split(" ", 2)
        if command == asked and int(least) <= width <= int(most):
            return body
    return None


def columns(environ: Mapping[str, str]) -> int:
    """The terminal's width, as `shutil.get_terminal_size` has it; its import costs a fifth of an empty program."""
    try:
        width = int(environ["COLUMNS"])
    except (KeyError, ValueError):
        width = 0
    if width > 0:
        return width
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or _NO_TERMINAL  # type: ignore[union-attr]
    except (AttributeError, ValueError, OSError):
        return _NO_TERMINAL
