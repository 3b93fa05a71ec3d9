"""Writes one value into config.toml, comments and order kept. It reads no meaning into the file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from clauderon import files
from clauderon.errors import UsageError
from clauderon.paths import Home

if TYPE_CHECKING:
    import tomlkit


def set_value(home: Home, path: tuple[str, ...], value: str) -> None:
    """Set `path` (tables, then the key) to a text; the file is made if it is missing.

    The new file takes the old one's place at once. Raises UsageError where the file is no TOML.
    """
    document = _document(home)
    _table(document, path)[path[-1]] = value
    _write(home, document)


def add_to_list(home: Home, path: tuple[str, ...], item: str) -> None:
    """Add a text to the list at `path`, which is made if it is missing. Raises as `set_value`."""
    document = _document(home)
    table = _table(document, path)
    if item not in table.setdefault(path[-1], []):
        table[path[-1]].append(item)
        _write(home, document)


def take_from_list(home: Home, path: tuple[str, ...], item: str) -> None:
    """Take a text out of the list at `path`, if it is there. Raises as `set_value`."""
    document = _document(home)
    found = document.get(path[0], {}).get(path[1], [])
    if item in found:
        found.remove(item)
        _write(home, document)


def _document(home: Home) -> tomlkit.TOMLDocument:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    file = home.config.resolve()
    try:
        return tomlkit.parse(files.text(file)) if file.exists() else tomlkit.document()
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise UsageError(str(home.config), f"it is no TOML: {error}", hint="clauderon config show") from error


def _table(document: tomlkit.TOMLDocument, path: tuple[str, ...]) -> Any:
    """The table that the last name of `path` is a key of, made if it is missing."""
    import tomlkit

    table: Any = document
    for name in path[:-1]:
        if name not in table:
            table[name] = tomlkit.table()
        table = table[name]
    return table


def _write(home: Home, document: tomlkit.TOMLDocument) -> None:
    import tomlkit

    file = home.config.resolve()
    home.create()
    beside = file.with_name(files.draft_name(file.parent, file.name))
    try:
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as new:
            new.write(tomlkit.dumps(document))
            new.flush()
            os.fsync(new.fileno())
        beside.chmod(file.stat().st_mode & 0o777 if file.exists() else 0o644)
        beside.replace(file)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
