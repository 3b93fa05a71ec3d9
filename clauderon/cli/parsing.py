"""Reads a plain command line without typer, from what a command declares. Decides nothing and prints nothing.

Whatever is not plainly right (a word that nobody declared, a value that is missing or of another type, a question for
help) is left to typer, which reads the same declarations and has words for what is wrong. A test holds that typer
reads every line that is read here in the same way.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from clauderon.cli.declared import Argument, Option

_NUMBERS = (int, int | None)
_LISTS = (list[str], list[str] | None)
_PATHS = (Path, Path | None)
_SWITCHES = (bool, bool | None)
_TEXTS = (str, str | None)


class Call(NamedTuple):
    """A command's function, and what to call it with."""

    function: Callable[..., None]
    values: dict[str, Any]


class _Way(NamedTuple):
    """What one spelling of an option does. constant: a switch's value; None where the next word is the value."""

    name: str
    kind: Any
    constant: bool | None
    said: Option


class _NotPlain(Exception):
    pass


def plain(function: Callable[..., None], words: Sequence[str]) -> Call | None:
    """The call that `words` (behind the command's own) ask for; None where typer has to look.

    Of what is not given, the function's own default is not repeated in `values`.
    """
    try:
        return Call(function, _values(function, words))
    except _NotPlain:
        return None


def declared(function: Callable[..., None]) -> dict[str, tuple[Any, Option | Argument]]:
    """(type, what it says of itself) of each parameter, by its name, in order."""
    found = {}
    for name, hint in function.__annotations__.items():
        if name == "return":
            continue
        if isinstance(hint, str):  # `from __future__ import annotations`
            hint = eval(hint, function.__globals__)
        found[name] = hint.__origin__, hint.__metadata__[0]
    return found


def _values(function: Callable[..., None], words: Sequence[str]) -> dict[str, Any]:
    options: dict[str, _Way] = {}
    arguments: list[tuple[str, Any]] = []
    for name, (kind, said) in declared(function).items():
        if isinstance(said, Option):
            options.update(_ways(name, kind, said))
        else:
            arguments.append((name, kind))
    values: dict[str, Any] = {}
    loose = _options(options, words, values)
    _arguments(function, arguments, loose, values)
    return values


def _ways(name: str, kind: Any, said: Option) -> dict[str, _Way]:
    found = {}
    for spelling in said.names:
        on, _, off = spelling.partition("/")
        found[on] = _Way(name, kind, True if kind in _SWITCHES else None, said)
        if off:
            found[off] = _Way(name, kind, False, said)
    return found


def _options(options: dict[str, _Way], words: Sequence[str], values: dict[str, Any]) -> list[str]:
    """Take the options out of the words, into `values`; returns the others."""
    loose: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            return [*loose, *rest]
        if word == "-" or not word.startswith("-"):
            loose.append(word)
            continue
        spelling, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        way = options.get(spelling)
        if way is None or (equals and way.constant is not None):
            raise _NotPlain
        if way.constant is not None:
            values[way.name] = way.constant
            continue
        if not equals:
            value = next(rest, "--")
            if value.startswith("-") and value != "-":
                raise _NotPlain  # more likely an option whose value was forgotten
        if way.kind in _LISTS:
            values.setdefault(way.name, []).append(value)
        elif way.kind in _NUMBERS:
            values[way.name] = _number(value, way.said)
        else:
            values[way.name] = _read(way.kind, value)
    return loose


def _arguments(
    function: Callable[..., None], arguments: list[tuple[str, Any]], words: list[str], values: dict[str, Any]
) -> None:
    defaults = len(function.__defaults__ or ())
    required = function.__code__.co_varnames[: function.__code__.co_argcount - defaults]
    for number, (name, kind) in enumerate(arguments):
        if kind in _LISTS:
            if number != len(arguments) - 1:
                raise _NotPlain
            given, words = words, []
            if given:
                values[name] = list(given)
        elif words:
            values[name] = _read(kind, words.pop(0))
    if words or any(name not in values for name in required):
        raise _NotPlain


def _number(value: str, said: Option) -> int:
    if not (value.isascii() and value.isdecimal() and len(value) < 10):
        raise _NotPlain
    number = int(value)
    if (said.min is not None and number < said.min) or (said.max is not None and number > said.max):
        raise _NotPlain
    return number


def _read(kind: Any, value: str) -> Any:
    if kind in _TEXTS:
        return value
    # One that exists and cannot be read is refused.
    if kind in _PATHS and (os.access(value, os.R_OK) or not os.path.lexists(value)):
        return Path(value)
    raise _NotPlain
