"""Measures how many paths a tree becomes when it is checked out, and refuses git bombs.

A few small trees that name each other can make billions of paths. Trees are read through git, each once, before
anything of the host's (an index, a merge, a diff) spreads them out.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from clauderon.errors import Refused
from clauderon.git.batch import TREE_MODES, Batch, tree_entries
from clauderon.git.call import Git


class Expanse(NamedTuple):
    """Paths below a tree, the bytes of all their names, and how deep the deepest lies."""

    paths: int
    name_bytes: int
    depth: int


# What git on the host may be made to hold in memory: about 100 bytes a path and its name.
LIMIT = Expanse(paths=4_000_000, name_bytes=1 << 30, depth=2000)
# Trees are read this many bytes at a time, and of their entries only what leads further down is kept.
_BATCH_BYTES = 16 << 20
_LINKS = 4_000_000
_LIKELY_BYTES = 4096


def _unseen(_found: Batch) -> None:
    """For whoever is not asked about it."""


def refuse_endless(
    common_dir: Path,
    new: Sequence[tuple[str, int]],
    *,
    env: Mapping[str, str],
    what: str,
    cache: Path | None = None,
    limit: Expanse | None = None,
    also: Sequence[str] = (),
    seen: Callable[[Batch], None] = _unseen,
) -> None:
    """Raise Refused if a new tree spreads beyond `limit`.

    new:   trees that are new, by name, with their size in bytes.
    cache: a file of ours that remembers trees measured before: those of a large repository take a while.
    seen:  called with each new tree, also one that is remembered, and with the objects `also`, a few small ones, as
           far as they are there: so that they are read once.
    """
    limit = limit or LIMIT
    trees = _Trees(common_dir, env, what, dict(new))
    trees.remember(cache)
    trees.measure(also, seen)
    for oid, _ in new:
        found = trees.known[oid]
        if any(have > most for have, most in zip(found, limit, strict=True)):
            raise Refused(
                what,
                f"a directory in the container's history spreads to {found.paths:.3g} paths when checked out",
                hint="git reset --hard HEAD~  # inside the session",
            )
    trees.keep(cache)


class _Below(NamedTuple):
    """What a tree holds: its files added up, and its directories, each with the length of its name."""

    files: Expanse
    directories: tuple[tuple[int, str], ...]


class _Trees:
    def __init__(self, common_dir: Path, env: Mapping[str, str], what: str, sizes: dict[str, int]) -> None:
        self._git = Git(common_dir, env)
        self._what = what
        self._sizes = sizes
        self._remembered = 0
        self._links = 0
        self._names: dict[str, str] = {}
        self.known: dict[str, Expanse] = {}

    def remember(self, cache: Path | None) -> None:
        with contextlib.suppress(OSError, ValueError):
            for line in cache.read_text(encoding="ascii").splitlines() if cache else ():
                oid, *numbers = line.split(" ")
                self.known[oid] = Expanse(*map(int, numbers))
        self._remembered = len(self.known)

    def keep(self, cache: Path | None) -> None:
        if cache is not None and len(self.known) > self._remembered:
            partial = cache.with_name(cache.name + ".tmp")
            lines = (
                f"{oid} {found.paths} {found.name_bytes} {found.depth}\n" for oid, found in self.known.items()
            )
            partial.write_text("".join(lines), encoding="ascii")
            partial.replace(cache)

    def measure(self, also: Sequence[str], seen: Callable[[Batch], None]) -> None:
        """Fill `known` for the new trees, level by level."""
        children: dict[str, _Below] = {}
        level = [*self._sizes, *also]
        while level:
            for batch in self._batches(level):
                children.update(self._read(batch, seen))
            seen = _unseen
            below = (child for oid in level if oid in children for _, child in children[oid].directories)
            level = [
                child for child in dict.fromkeys(below) if child not in children and child not in self.known
            ]
        self._add_up(children)

    def _batches(self, level: Sequence[str]) -> Iterator[list[str]]:
        """Trees that are read together by one process."""
        batch, size = list[str](), 0
        for oid in level:
            more = self._sizes.get(oid, _LIKELY_BYTES)
            if batch and size + more > _BATCH_BYTES:
                yield batch
                batch, size = [], 0
            batch.append(oid)
            size += more
        yield batch

    def _read(self, oids: Sequence[str], seen: Callable[[Batch], None]) -> Iterator[tuple[str, _Below]]:
        for oid, found in zip(oids, self._git.objects(oids), strict=True):
            if found is not None:
                seen(found)
            # One that is not there, in a partial clone, cannot be spread out either.
            if found is None or found[1] == "tree":
                yield oid, self._parsed(found[2] if found else b"", len(oid) // 2)

    def _parsed(self, content: bytes, oid_bytes: int) -> _Below:
        files, name_bytes, directories = 0, 0, list[tuple[int, str]]()
        for length, child in parse_tree(content, oid_bytes):
            if child is None:
                files += 1
                name_bytes += length + 1
            else:
                directories.append((length, self._names.setdefault(child, child)))
        self._links += len(directories)
        if self._links > _LINKS:
            raise Refused(
                self._what,
                f"the directories of the container's history name more than {_LINKS} others",
                hint="git reset --hard HEAD~  # inside the session",
            )
        return _Below(Expanse(files, name_bytes, int(files > 0)), tuple(directories))

    def _add_up(self, children: Mapping[str, _Below]) -> None:
        """Each tree once, children before parents, without recursion: the nesting is the container's to choose."""
        waiting = list(children)
        while waiting:
            oid = waiting[-1]
            if oid in self.known:
                waiting.pop()
                continue
            unknown = {child for _, child in children[oid].directories if child not in self.known}
            if unknown:
                waiting.extend(unknown)
                continue
            total = children[oid].files
            for name_bytes, child in children[oid].directories:
                below = self.known[child]
                total = Expanse(
                    total.paths + below.paths,
                    total.name_bytes + below.name_bytes + (name_bytes + 1) * below.paths,
                    max(total.depth, below.depth + 1),
                )
            self.known[oid] = total


def parse_tree(content: bytes, oid_bytes: int) -> Iterator[tuple[int, str | None]]:
    """The entries of a tree object: length of the name, and the object name where it is a tree itself."""
    for mode, name, oid in tree_entries(content, oid_bytes):
        yield len(name), oid.hex() if mode in TREE_MODES and len(oid) == oid_bytes else None
