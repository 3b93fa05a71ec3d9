"""Words for what is wrong in `config.toml`: the place in the file, and the nearest known name.

Imported only once something is wrong, so that a good configuration pays nothing for it.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tomli

from clauderon.config.keys import ANY, SECTIONS
from clauderon.errors import UsageError


def not_toml(path: Path, raw: bytes, error: UnicodeDecodeError | tomli.TOMLDecodeError) -> UsageError:
    """The error for a file that is no TOML."""
    if isinstance(error, UnicodeDecodeError):
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        return _at(path, line, column, "not UTF-8")
    message = str(error)
    # tomli before 2.1 has the place in the message alone; "at end of document" has no numbers in any version.
    place = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", message)
    text = raw.decode()
    line, column = text.count("\n") + 1, len(text) - (text.rfind("\n") + 1) + 1
    if place is not None:
        message = message[: place.start()]
        if place[1]:
            line, column = int(place[1]), int(place[2])
    return _at(path, line, column, message[:1].lower() + message[1:])


def at_key(path: Path, text: str, keys: tuple[str, ...], why: str) -> UsageError:
    """The error for the value of a dotted key, or for the nearest table around it that is in the file."""
    for depth in range(len(keys), 0, -1):
        line = line_of(text, keys[:depth])
        if line:
            written = text.splitlines()[line - 1]
            found = re.search(rf"(?<![\w-]){re.escape(keys[depth - 1])}(?![\w-])", written)
            return _at(path, line, found.start() + 1 if found else 1, why)
    return _at(path, 1, 1, why)


def line_of(text: str, keys: tuple[str, ...]) -> int:
    """The line, from 1, on which the key's statement begins; 0 if it is not in the file.

    The parser is asked, since a guess at the grammar could be wrong: the key is in the first statement whose
    addition makes it appear. The time grows with the square of the file's length, and only after a mistake.
    """
    lines = text.splitlines(keepends=True)
    begin = 0
    for end in range(1, len(lines) + 1):
        try:
            value: Any = tomli.loads("".join(lines[:end]))
        except (tomli.TOMLDecodeError, RecursionError):
            continue
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            return begin + 1
        begin = end
    return 0


def unknown_key(name: str, dotted: str, section: str | None) -> str:
    """Why the key `name` in the section `dotted` (`section` in the schema) is refused."""
    known = [key.name for key in SECTIONS.get(section or "", ())]
    known += [s.split(".")[1] for s in SECTIONS if s.startswith(f"{dotted}.") and ANY not in s]
    homes = [s for s, keys in SECTIONS.items() if any(key.name == name for key in keys)]
    if homes:
        return f"unknown key {name!r} in [{dotted}]; it belongs in [{homes[0]}]"
    return f"unknown key {name!r} in [{dotted}]; {_nearest(name, known)}"


def unknown_section(dotted: str, document: Mapping[str, Any]) -> str:
    """Why the section, or a key outside of every section, is refused."""
    if not isinstance(document.get(dotted), dict):
        homes = [s for s, keys in SECTIONS.items() if any(key.name == dotted for key in keys)]
        if homes:
            return f"unknown key {dotted!r} outside of a section; it belongs in [{homes[0]}]"
    sections = sorted({name.split(".")[0] for name in SECTIONS})
    return f"unknown section [{dotted}]; {_nearest(dotted, sections)}"


def nearest(name: str, known: Iterable[str]) -> str:
    """The nearest of `known`, or empty."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)), "")


def not_one_of(name: str, known: Iterable[str]) -> str:
    """The words for a name that is not one of `known`, with the nearest one."""
    return f"{name!r} is not known; {_nearest(name, list(known))}"


def _nearest(name: str, known: list[str]) -> str:
    close = nearest(name, known)
    return f"the nearest is {close!r}" if close else f"known are {', '.join(known)}"


def _at(path: Path, line: int, column: int, why: str) -> UsageError:
    place = f"{path}:{line}:{column}"
    return UsageError(place, why, hint=f"${{EDITOR:-vi}} +{line} {shlex.quote(str(path))}")
