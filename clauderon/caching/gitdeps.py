"""Git dependencies on their way into the shared volume and out of it.

In: from a session's bare repositories, which are anything, only objects whose content has the name they go by, and of
those what the commit reaches that the session's lock names. git packs them anew; of the session's configuration, hooks,
refs, alternates and indexes nothing is read, and no checkout is. Out: a bare repository in the session's home, written
by us, that borrows the objects.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from clauderon import paths
from clauderon.airlock.carry import carry
from clauderon.airlock.layout import HostSide
from clauderon.airlock.private_refs import Inside, open_dir, opened
from clauderon.airlock.quarantine import Bounds, NoRoom, Quarantine
from clauderon.caching import folders
from clauderon.caching.lockfile import GitDependency
from clauderon.confined import Tree, read
from clauderon.errors import ClauderonError, Refused
from clauderon.git.call import Git
from clauderon.git.environment import environment, untrusting

DB = ".cargo/git/db"
# Of one dependency; no other is begun after TRIES_S.
BOUNDS = Bounds(copied=512 << 20, inflated=2 << 30, structure=64 << 20, files=200_000)
# The largest pack that is kept.
PACK_BYTES = 256 << 20
TRIES_S = 120.0
_ALTERNATES_BYTES = 1 << 20
_OURS = f"{paths.CONTAINER_CARGO_HOME}/git/"
# A bare repository of nothing, beside its directories.
_EMPTY = {
    "HEAD": b"ref: refs/heads/kept\n",
    "config": b"[core]\n\trepositoryformatversion = 0\n\tbare = true\n",
}


class Fetched(NamedTuple):
    """files: of an object directory, by their relative paths; none if there is more than anybody looks through."""

    dependency: GitDependency
    files: Mapping[str, bytes]


def fetched(
    home: Path,
    scratch: Path,
    wanted: Iterable[GitDependency],
    environ: Mapping[str, str],
    *,
    tries_s: float = TRIES_S,
) -> Iterator[Fetched]:
    """Each dependency that the session has whole, or has made too large to look through.

    home: the session's, a hostile tree; scratch: a directory of ours to work in; wanted: those the volume lacks.
    """
    env = untrusting(environment(environ))
    until = time.monotonic() + tries_s
    for dependency in wanted:
        for folder in folders.git(dependency.url):
            if time.monotonic() > until:
                return
            with _database(home, folder) as root:
                files = {} if root is None else _packed_or_nothing(root, scratch, dependency.commit, env)
            if files is None:
                yield Fetched(dependency, {})
                break
            if files:
                yield Fetched(dependency, files)
                break


@contextlib.contextmanager
def _database(home: Path, folder: str) -> Iterator[int | None]:
    """A descriptor of a session's bare repository, or None if there is none."""
    try:
        top = open_dir(home)
    except OSError:
        yield None
        return
    try:
        with opened(top, (*DB.split("/"), folder)) as root:
            yield root
    finally:
        os.close(top)


def _packed_or_nothing(
    root: int, scratch: Path, commit: str, env: Mapping[str, str]
) -> dict[str, bytes] | None:
    """Nothing if it is incomplete or damaged: then the next session fetches it again. None for too much."""
    try:
        return _packed(root, scratch, commit, env)
    except _TooMuch:
        return None
    except ClauderonError:
        return {}


class _TooMuch(Exception):
    """What the session put beside the commit's objects is beyond `BOUNDS`, and would be the next time."""


def _packed(root: int, scratch: Path, commit: str, env: Mapping[str, str]) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory(dir=scratch) as directory:
        top = Path(directory)
        repository = top / "repository"
        for name in ("objects", "refs/heads"):
            (repository / name).mkdir(parents=True)
        for name, content in _EMPTY.items():
            (repository / name).write_bytes(content)
        side = HostSide(top / "side")
        quarantine = Quarantine(side, common_dir=repository, env=env, name="caches", bounds=BOUNDS)
        try:
            quarantine.mirror(Inside(root, 40))
        except NoRoom:
            raise
        except Refused as error:
            raise _TooMuch from error
        carry(
            repository, side.objects, tips=[commit], known=[], env=env, partial=False,
            side=side, fsck=(), what=f"share {commit}",
        )  # fmt: skip
        _git(env, repository, "update-ref", "refs/heads/kept", commit)
        _git(env, repository, "repack", "-a", "-d", "-q")
        packs = repository / "objects" / "pack"
        files = [file for file in packs.iterdir() if file.suffix in (".pack", ".idx")]
        if sum(file.stat().st_size for file in files) > PACK_BYTES:
            return {}
        return {f"objects/pack/{file.name}": file.read_bytes() for file in files}


def _git(env: Mapping[str, str], repository: Path, *words: str) -> None:
    Git(repository, env).call(*words)


def lend(tree: Tree, wanted: Iterable[GitDependency], folder_of: Callable[[str], str | None]) -> None:
    """Write the bare repositories that borrow what the volume has, where the session has none of its own.

    folder_of: the volume's directory for a commit. A repository of which a wanted commit is missing is not lent at
    all: the session then fetches it whole, and has it whole to hand on.
    """
    found: dict[str, dict[str, str | None]] = {}
    for dependency in wanted:
        for folder in folders.git(dependency.url):
            found.setdefault(folder, {})[dependency.commit] = folder_of(dependency.commit)
    for folder, directories in found.items():
        lines = (
            ""
            if None in directories.values()
            else "".join(f"{_OURS}{d}/objects\n" for d in directories.values())
        )
        _lend(tree, f"{DB}/{folder}", lines.encode())


def _lend(tree: Tree, place: str, alternates: bytes) -> None:
    there = read(tree.root, f"{place}/objects/info/alternates", _ALTERNATES_BYTES) or b""
    if os.path.lexists(tree.root / place):
        if there == alternates or not there.startswith(_OURS.encode()):
            return
        tree.set_aside(place)  # the volume has been made anew, or another commit is wanted
    if not alternates:
        return
    for name in ("objects/pack", "refs/heads"):
        tree.directory(f"{place}/{name}")
    for name, content in _EMPTY.items():
        tree.write(f"{place}/{name}", content)
    tree.write(f"{place}/objects/info/alternates", alternates)
