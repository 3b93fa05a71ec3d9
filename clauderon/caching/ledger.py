"""What this home has put into the shared volumes: of each volume, which content lies in which directory of it.

A session is led only to what is recorded here, and a directory is recorded after it was written whole, never changed
afterwards. So a promotion that was killed, and whatever else lies in a volume, is nobody's.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any, NamedTuple

from clauderon import confined
from clauderon.paths import Home

_BYTES = 64 << 20
_FOLDER = re.compile(r"[0-9a-f]{16}\Z")
_HEX = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")


class Ledger(NamedTuple):
    """volumes: of each volume's identity, content (a crate's SHA-256, a commit) to its directory and its bytes."""

    volumes: dict[str, dict[str, tuple[str, int]]]

    def of(self, volume: str) -> dict[str, tuple[str, int]]:
        """What is known of a volume: content's name to (folder, bytes)."""
        return self.volumes.get(volume, {})

    def folder(self, volume: str, content: str) -> str | None:
        """The folder of `content` in a volume; None if it was never put there."""
        found = self.volumes.get(volume, {}).get(content)
        return None if found is None else found[0]

    def size(self, volume: str) -> int:
        """Bytes in the volume, as far as we filled it."""
        return sum(size for _, size in self.of(volume).values())


def read(home: Home) -> Ledger:
    """The ledger; an empty one if there is none, or one that is damaged: then everything is fetched once more."""
    data = confined.read(home.caches, "ledger.json", _BYTES)
    try:
        value: Any = json.loads(data or b"{}")
        return Ledger({volume: _entries(entries) for volume, entries in value.items()})
    except (ValueError, TypeError, AttributeError):
        return Ledger({})


def _entries(value: dict[str, Any]) -> dict[str, tuple[str, int]]:
    entries = {}
    for content, (folder, size) in value.items():
        if _HEX.match(content) and _FOLDER.match(folder):
            entries[content] = (folder, int(size))
    return entries


def add(home: Home, volume: str, folder: str, sizes: dict[str, int]) -> None:
    """Record a directory that was written whole. The caller holds the lock of the caches."""
    ledger = read(home)
    entries = {**ledger.of(volume), **{content: (folder, size) for content, size in sizes.items()}}
    _write(home, Ledger({**ledger.volumes, volume: entries}))


def forget(home: Home) -> None:
    """After the volumes were removed."""
    (home.caches / "ledger.json").unlink(missing_ok=True)


def _write(home: Home, ledger: Ledger) -> None:
    confined.Tree(home.caches).write("ledger.json", json.dumps(ledger.volumes).encode(), 0o600)


def new_folder() -> str:
    """A directory's name that nobody has used."""
    return os.urandom(8).hex()
