"""Text that a shell or make evaluates: quoted words, exports, a statement that fails. Pure; prints nothing.

What is quoted here means itself to the program that reads it, whatever bytes it has (`surrogateescape`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal

from clauderon import grammar

Shell = Literal["sh", "fish", "make"]
SHELLS: tuple[Shell, ...] = ("sh", "fish", "make")

# make has no way to write a newline inside an assignment, only a variable that holds one.
_MAKE_NEWLINE = "clauderon_newline"
_MAKE_HASH = "clauderon_hash"
# `define` drops the last newline, so there is a second empty line.
_MAKE_HEAD = f"define {_MAKE_NEWLINE}\n\n\nendef\n{_MAKE_HASH} := \\#\n"


def quoted(text: str, shell: Shell = "sh") -> str:
    """`text` as one word of `sh` (dash, bash, busybox, zsh too) or `fish`, or as the value of make's `:=`.

    Raises ValueError for a NUL character, which no environment can hold.
    """
    if "\0" in text:
        raise ValueError("a NUL character cannot be passed on")
    if shell == "fish":
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    if shell == "make":
        return _make_value(text)
    if re.fullmatch(r"[A-Za-z0-9_./:@%+,-]+", text):
        return text
    return "'" + text.replace("'", "'\\''") + "'"


def command(argv: Iterable[str]) -> str:
    """A command line for `sh`, to be read, copied or run."""
    return " ".join(quoted(word) if word else "''" for word in argv)


def exports(variables: Mapping[str, str], shell: Shell = "sh") -> str:
    """Statements that set and export the variables, one a line, to `eval`, `source` or `include`.

    Every statement of a shell ends in `;`, so that an unquoted `eval $(...)` works where no value has a newline.
    """
    if shell == "make":
        assignments = (f"export {_name(n)} := {quoted(v, shell)}\n" for n, v in variables.items())
        return _MAKE_HEAD + "".join(assignments)
    if shell == "fish":
        return "".join(f"set -gx {_name(n)} {quoted(v, shell)};\n" for n, v in variables.items())
    return "".join(f"export {_name(n)}={quoted(v, shell)};\n" for n, v in variables.items())


def unset(names: Iterable[str], shell: Shell = "sh") -> str:
    """Statements that take the variables away again; no error for one that is not set."""
    if shell == "make":
        return "".join(f"unexport {_name(name)}\nundefine {_name(name)}\n" for name in names)
    if shell == "fish":
        return "".join(f"set -e {_name(name)};\n" for name in names)
    return "".join(f"unset {_name(name)};\n" for name in names)


def failing_statement(shell: Shell, status: int, message: str) -> str:
    """A statement that fails with `status` when it is evaluated, and does not end an interactive shell.

    `eval "$(clauderon env NAME)"` succeeds if nothing is printed: a failure has to be said on stdout as well.
    message: for make alone, which has no other way to fail; the shells' user has read it on stderr.
    """
    if not 1 <= status <= 255:
        raise ValueError(f"{status} is no failing exit status")
    if shell == "make":
        # By way of a variable: a parenthesis in the message would end $(error ...).
        line = re.sub(r"\s+", " ", message).strip()
        return f"{_MAKE_HEAD}clauderon_error := {quoted(line, shell)}\n$(error $(clauderon_error))\n"
    if shell == "fish":
        return f"sh -c 'exit {status}';\n"
    return f"(exit {status});\n"


def _name(name: str) -> str:
    if not re.fullmatch(grammar.VARIABLE, name):
        raise ValueError(f"{name!r} is not a variable's name")
    return name


def _make_value(text: str) -> str:
    value = text.replace("$", "$$").replace("#", f"$({_MAKE_HASH})").replace("\n", f"$({_MAKE_NEWLINE})")
    # make strips blanks at the front, and reads a backslash or a carriage return at a line's end as its own.
    if re.search(r"\A\s", text):
        value = f"$(){value}"
    return f"{value}$()" if re.search(r"[\s\\]\Z", text) else value
