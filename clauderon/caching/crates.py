"""Crates on their way into the shared volume and out of it.

In: the bytes of a session's `.crate` files, read as what they are (anything), and only those that have the SHA-256
which the session's wanted list names. cargo itself does not look at the content of a crate that it finds in its cache,
so nothing else would. Out: symlinks in a session's home to what the ledger has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from clauderon import confined, paths
from clauderon.caching import folders
from clauderon.caching.lockfile import Crate

# The largest a crate may be that is kept; the public registry's own limit is 10 MiB, raised for a few.
CRATE_BYTES = 64 << 20
READ_BYTES = 2 << 30
CACHE = ".cargo/registry/cache"


def fetched(
    home: Path, crates: Iterable[Crate], *, read_bytes: int = READ_BYTES
) -> Iterator[tuple[str, bytes]]:
    """(SHA-256, content) of each crate that the session has and whose content is what the list says.

    home: the session's, a hostile tree; crates: those that the volume lacks. Stops once `read_bytes` were read: a file
    of holes costs a session nothing and us its whole length.
    """
    cache = Path(CACHE)
    for crate in crates:
        for folder in folders.registry(crate.source):
            content = confined.read(home, str(cache / folder / crate.file), CRATE_BYTES)
            read_bytes -= 0 if content is None else len(content)
            if read_bytes < 0:
                return
            if content is not None and hashlib.sha256(content).hexdigest() == crate.sha256:
                yield crate.sha256, content
                break


def links(
    crates: Iterable[Crate], folder_of: Callable[[str], str | None]
) -> dict[str, dict[str, str | None]]:
    """By directory below the home: the name of each crate's file, and what it is to lead to; None for nothing.

    folder_of: the volume's directory for a SHA-256. Two crates that would have one file's name have none.
    """
    sums: dict[tuple[str, str], set[str]] = {}
    for crate in crates:
        for folder in folders.registry(crate.source):
            sums.setdefault((folder, crate.file), set()).add(crate.sha256)
    found: dict[str, dict[str, str | None]] = {}
    for (folder, file), these in sums.items():
        sha256 = next(iter(these))
        directory = folder_of(sha256) if len(these) == 1 else None
        target = None if directory is None else inside(directory, sha256)
        found.setdefault(f"{CACHE}/{folder}", {})[file] = target
    return found


def inside(directory: str, sha256: str) -> str:
    """Where a session finds a crate."""
    return f"{paths.CONTAINER_CARGO_HOME}/registry/{directory}/{sha256}.crate"
