"""Bringing objects from the quarantine into the user's repository: listed, packed, and checked on the way in.

Moves objects only; refs are the caller's. git runs with the user's repository as its git directory, never another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from clauderon import proc
from clauderon.airlock.expanse import refuse_endless
from clauderon.errors import BackendError, CommandFailed
from clauderon.git.alternates import alternates
from clauderon.git.environment import hardened, offline

# Below this many objects they are stored loose, as `receive.unpackLimit` does for a push: a pack for every commit
# would make the user's next git command repack the repository.
_UNPACK_LIMIT = 100
_TIMEOUT_S = 3600.0
# One allocation of git's at most; larger blobs are streamed (`core.bigFileThreshold`).
_ALLOCATION = "2g"
_CANNOT_WRITE = ("No space left", "Read-only file system", "insufficient permission", "Permission denied")
_BOUNDED = (
    "-c",
    "core.bigFileThreshold=64m",
    "-c",
    "pack.windowMemory=256m",
    "-c",
    "pack.writeReverseIndex=false",
)


@dataclass(frozen=True, slots=True)
class Carried:
    """How many objects were not there before, and which commits among them, newest first."""

    objects: int
    commits: tuple[str, ...]


def untrusting(env: Mapping[str, str]) -> dict[str, str]:
    """The environment of every git that reads the container's objects."""
    return {**offline(env), "GIT_ALLOC_LIMIT": _ALLOCATION}


def listed_argv(common_dir: Path) -> list[str]:
    """New objects: reachable from what stdin names, not from what the user's branches hold already."""
    words = ("rev-list", "--objects", "--stdin", "--not", "--branches", "--remotes")
    return hardened(common_dir, *_BOUNDED, *words)


def carry(
    common_dir: Path,
    *sources: Path,
    tips: Iterable[str],
    known: Iterable[str],
    env: Mapping[str, str],
    partial: bool,
    cache: Path,
    fsck: tuple[str, ...],
    what: str,
) -> Carried:
    """Bring everything reachable from `tips` into the repository.

    sources: directories of verified objects, beside the repository's own.
    known:   commits the repository has, beside its branches.
    partial: a partial clone, where links may dangle and only the objects themselves can be checked.
    fsck:    the user's own exceptions from the rules, `receive.fsck.*`.
    cache:   where `expanse` remembers what it measured.
    what:    for messages, "sync fix-bug".
    Raises BackendError when an object is missing, damaged or refused by `git fsck`'s rules, and Refused for trees
    that would fill the memory of whoever checks them out.
    """
    env = untrusting(env)
    reading = {**env, "GIT_ALTERNATE_OBJECT_DIRECTORIES": alternates(*sources)}
    asked = "".join(f"{oid}\n" for oid in tips) + "".join(f"^{oid}\n" for oid in known)
    try:
        argv = listed_argv(common_dir)
        if partial:
            argv.insert(argv.index("rev-list") + 1, "--missing=allow-promisor")
        listed = (
            proc.start(argv, env=reading, cwd="/", stdin=asked.encode()).result(timeout_s=_TIMEOUT_S).stdout
        )
        lines = listed.splitlines()
        if not lines:
            return Carried(0, ())
        refuse_endless(common_dir, lines, env=reading, what=what, cache=cache)
        packing = hardened(common_dir, *_BOUNDED, "pack-objects", "-q", "--stdout", "--delta-base-offset")
        if partial:
            packing.append("--missing=allow-promisor")
        proc.pipe(
            packing,
            hardened(common_dir, *_BOUNDED, *_receiver(len(lines), partial, fsck)),
            env=reading,
            consumer_env=env,
            cwd="/",
            stdin=listed,
        )
    except CommandFailed as error:
        if any(words in error.detail for words in _CANNOT_WRITE):
            raise BackendError(
                what,
                f"{common_dir} cannot be written",
                hint=f"df -h '{common_dir}'",
                detail=printable(error.detail),
            ) from error
        raise BackendError(
            what,
            "the container's history cannot be carried over: it is incomplete or git refuses it",
            hint="git fsck  # inside the session",
            detail=printable(error.detail),
        ) from error
    return Carried(len(lines), tuple(line.decode("ascii") for line in lines if b" " not in line))


def _receiver(count: int, partial: bool, fsck: tuple[str, ...]) -> tuple[str, ...]:
    if partial:
        return ("index-pack", "--fsck-objects", "--stdin")
    if fsck:
        # unpack-objects takes no exceptions.
        return ("index-pack", f"--strict={','.join(fsck)}", "--stdin")
    if count < _UNPACK_LIMIT:
        return ("unpack-objects", "-q", "--strict")
    return ("index-pack", "--strict", "--stdin")


def printable(text: str) -> str:
    """A tool's message without what a terminal would act on: names in it may be the container's."""
    return "".join(char if char == "\n" or char.isprintable() else ascii(char)[1:-1] for char in text)
