"""Writes one value into config.toml, comments and order kept. It reads no meaning into the file."""

from __future__ import annotations

import os

from clauderon import files
from clauderon.errors import UsageError
from clauderon.paths import Home


def set_value(home: Home, path: tuple[str, ...], value: str) -> None:
    """Set `path` (tables, then the key) to a text; the file is made if it is missing.

    The new file takes the old one's place at once. Raises UsageError where the file is no TOML.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    file = home.config.resolve()
    try:
        document = tomlkit.parse(files.text(file)) if file.exists() else tomlkit.document()
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise UsageError(str(home.config), f"it is no TOML: {error}", hint="clauderon config show") from error
    table: tomlkit.TOMLDocument | tomlkit.items.Table = document
    for name in path[:-1]:
        if name not in table:
            table[name] = tomlkit.table()
        table = table[name]
    table[path[-1]] = value
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
