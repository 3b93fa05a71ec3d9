"""How large a tree becomes when it is checked out: a few small trees that name each other can make billions of paths.

Reads trees through git, each once; refuses before anything of the host's (an index, a merge, a diff) spreads them out.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from clauderon import proc
from clauderon.errors import Refused
from clauderon.git.batch import parse_batch
from clauderon.git.environment import hardened

_TIMEOUT_S = 600.0


class Expanse(NamedTuple):
    """Paths below a tree, the bytes of all their names, and how deep the deepest lies."""

    paths: int
    name_bytes: int
    depth: int


# What git on the host may be made to hold in memory: about 100 bytes a path and its name.
LIMIT = Expanse(paths=4_000_000, name_bytes=1 << 30, depth=2000)
_NOTHING = Expanse(0, 0, 0)
_FILE = Expanse(1, 0, 0)


def refuse_endless(
    common_dir: Path,
    listed: Sequence[bytes],
    *,
    env: Mapping[str, str],
    what: str,
    cache: Path | None = None,
    limit: Expanse | None = None,
) -> None:
    """Raise Refused if a new tree spreads beyond `limit`.

    listed: lines of `git rev-list --objects`: an object name, and for trees and blobs a space and a path.
    cache:  a file of ours that remembers trees measured before: those of a large repository take a while.
    """
    limit = limit or LIMIT
    trees = _Trees(common_dir, env)
    new = trees.of_kind_tree([line.split(b" ")[0] for line in listed if b" " in line])
    trees.remember(cache)
    trees.measure(new)
    for oid in new:
        found = trees.known[oid]
        if any(have > most for have, most in zip(found, limit, strict=True)):
            raise Refused(
                what,
                f"a directory in the container's history spreads to {found.paths:.3g} paths when checked out",
                hint="git reset --hard HEAD~  # inside the session",
            )
    trees.keep(cache)


class _Trees:
    def __init__(self, common_dir: Path, env: Mapping[str, str]) -> None:
        self._common_dir = common_dir
        self._env = env
        self._remembered = 0
        self.known: dict[str, Expanse] = {}

    def _cat_file(self, oids: Iterable[bytes], *words: str) -> proc.Completed:
        argv = hardened(self._common_dir, "cat-file", *words)
        stdin = b"".join(oid + b"\n" for oid in oids)
        return proc.start(argv, env=self._env, cwd="/", stdin=stdin).result(timeout_s=_TIMEOUT_S)

    def of_kind_tree(self, oids: Iterable[bytes]) -> list[str]:
        answer = self._cat_file(oids, "--batch-check=%(objecttype) %(objectname)")
        return [line[5:] for line in answer.text.splitlines() if line.startswith("tree ")]

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

    def measure(self, tops: Iterable[str]) -> None:
        """Fill `known` for these trees. One process for each level of what is not known, not for each tree."""
        children: dict[str, list[tuple[int, str | None]]] = {}
        level = [oid for oid in dict.fromkeys(tops) if oid not in self.known]
        while level:
            answers = parse_batch(
                self._cat_file((oid.encode() for oid in level), "--batch").stdout, len(level)
            )
            for oid, answer in zip(level, answers, strict=True):
                # One that is not there, in a partial clone, cannot be spread out either.
                content = answer[2] if answer is not None and answer[1] == "tree" else b""
                children[oid] = parse_tree(content, len(oid) // 2)
            below = (child for oid in level for _, child in children[oid] if child is not None)
            level = [
                child for child in dict.fromkeys(below) if child not in children and child not in self.known
            ]
        self._add_up(children)

    def _add_up(self, children: Mapping[str, list[tuple[int, str | None]]]) -> None:
        """Each tree once, children before parents, without recursion: the nesting is the container's to choose."""
        waiting = list(children)
        while waiting:
            oid = waiting[-1]
            if oid in self.known:
                waiting.pop()
                continue
            unknown = {child for _, child in children[oid] if child is not None and child not in self.known}
            if unknown:
                waiting.extend(unknown)
                continue
            total = _NOTHING
            for name_bytes, child in children[oid]:
                below = _FILE if child is None else self.known[child]
                total = Expanse(
                    total.paths + below.paths,
                    total.name_bytes + below.name_bytes + (name_bytes + 1) * below.paths,
                    max(total.depth, below.depth + 1),
                )
            self.known[oid] = total


def parse_tree(content: bytes, oid_bytes: int) -> list[tuple[int, str | None]]:
    """The entries of a tree object: length of the name, and the object name where it is a tree itself."""
    found: list[tuple[int, str | None]] = []
    offset = 0
    while offset < len(content):
        space = content.find(b" ", offset)
        end = content.find(b"\0", space)
        if space < 0 or end < 0:
            break
        oid = content[end + 1 : end + 1 + oid_bytes]
        is_tree = content[offset:space] in (b"40000", b"040000")
        found.append((end - space - 1, oid.hex() if is_tree and len(oid) == oid_bytes else None))
        offset = end + 1 + oid_bytes
    return found
