"""Bringing objects from the quarantine into the user's repository: listed, packed, and checked on the way in.

Moves objects only; refs are the caller's. git runs with the user's repository as its git directory, never another.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from clauderon import visible
from clauderon.airlock.incoming import Planting, refuse_planted
from clauderon.airlock.landing import allowance, receive
from clauderon.airlock.layout import HostSide
from clauderon.airlock.manifest import Manifest, manifest
from clauderon.airlock.tree_size import refuse_endless
from clauderon.errors import BackendError, CommandFailed
from clauderon.git.alternates import alternates
from clauderon.git.batch import Batch
from clauderon.git.call import Git, lines
from clauderon.git.environment import untrusting

# Below this many objects they are stored loose, as `receive.unpackLimit` does for a push: a pack for every commit
# would make the user's next git command repack the repository. Not when they are large, or grow by it.
_UNPACK_LIMIT = 100
_UNPACK_BYTES = 1 << 20
# For a history of millions of commits, each of which is looked at.
_TIMEOUT_S = 1800.0
_CANNOT_WRITE = ("No space left", "Read-only file system", "insufficient permission", "Permission denied")
_BOUNDED = (
    "-c",
    "core.bigFileThreshold=64m",
    "-c",
    "pack.windowMemory=256m",
    "-c",
    "pack.writeReverseIndex=false",
    # A user may switch compression off. What the container blew up is compressed all the same.
    "-c",
    "pack.compression=-1",
)
# As it lies inside: a delta that is undone may be a thousand times as large.
_PACK = ("pack-objects", "-q", "--stdout", "--delta-base-offset", "--depth=4095")


class Carried(NamedTuple):
    """How many objects were not there before, and which commits among them, newest first, and files' contents.

    parents: of those commits, if they are few.
    """

    objects: int
    commits: tuple[str, ...]
    blobs: tuple[str, ...] = ()
    parents: Mapping[str, tuple[str, ...]] = MappingProxyType({})

    def straight(self, old: str, new: str) -> int | None:
        """How many commits lead from `old` to `new`, each with one parent; None if it is otherwise, or not known."""
        count = 0
        while new != old:
            above = self.parents.get(new, ())
            if len(above) != 1:
                return None
            new, count = above[0], count + 1
        return count


def carry(
    common_dir: Path,
    *sources: Path,
    tips: Iterable[str],
    known: Iterable[str],
    env: Mapping[str, str],
    partial: bool,
    side: HostSide,
    fsck: tuple[str, ...],
    what: str,
    planted: Collection[str] = (),
    judge: Callable[[], None] = lambda: None,
) -> Carried:
    """Bring everything reachable from `tips` into the repository.

    sources: directories of verified objects, beside the repository's own.
    known:   commits the repository has, beside its branches.
    partial: a partial clone, where links may dangle and only the objects themselves can be checked.
    fsck:    the user's own exceptions from the rules, `receive.fsck.*`.
    side:    where it is remembered what was measured, and how much the repository has grown.
    what:    for messages, "sync fix-bug".
    planted: paths at which a planted repository may come along.
    judge:   called when it is known what is new, or that this cannot be told; it may raise.
    Raises BackendError when an object is missing, damaged or refused by `git fsck`'s rules, and Refused for trees
    that would fill the memory of whoever checks them out, or plant a repository there.
    """
    env = untrusting(env)
    reading = {**env, "GIT_ALTERNATE_OBJECT_DIRECTORIES": alternates(*sources)}
    git = Git(common_dir, reading, timeout_s=_TIMEOUT_S)
    try:
        try:
            new = manifest(git, tips=tips, known=known, partial=partial, what=what)
        finally:
            judge()
        if not new.oids:
            return Carried(0, ())
        parents = _looked_at(common_dir, new, side, reading, what, planted)
        allowed = allowance(side, new.disk)
        small = len(new.oids) < _UNPACK_LIMIT and new.size <= _UNPACK_BYTES and new.loose <= allowed
        holes = ("--missing=allow-promisor",) if partial else ()
        receiver = _receiver(small, partial, fsck)
        oids = new.oids if receiver[0] == "unpack-objects" else [*new.oids, *new.bases]
        receive(
            git,
            side,
            (*_BOUNDED, *_PACK, *holes),
            (*_BOUNDED, *receiver, f"--max-input-size={allowed}"),
            stdin=lines(oids),
            env=env,
            disk=new.disk,
            what=what,
        )
    except CommandFailed as error:
        if any(words in error.detail for words in _CANNOT_WRITE):
            raise _not_written(what, common_dir, visible.lines(error.detail)) from error
        raise BackendError(
            what,
            "the container's history cannot be carried over: it is incomplete or git refuses it",
            hint="git fsck  # inside the session",
            detail=visible.lines(error.detail),
        ) from error
    except OSError as error:
        raise _not_written(what, common_dir, str(error)) from error
    return Carried(len(new.oids), tuple(new.commits), tuple(new.blobs), parents)


def _looked_at(
    common_dir: Path,
    new: Manifest,
    side: HostSide,
    env: Mapping[str, str],
    what: str,
    allowed: Collection[str],
) -> dict[str, tuple[str, ...]]:
    """Refuse trees that spread without end, or plant a repository; returns the commits' parents, if they are few."""
    planting = Planting(common_dir, env)
    parents: dict[str, tuple[str, ...]] = {}

    def see(found: Batch) -> None:
        oid, kind, content = found
        if kind == "tree":
            planting.see(oid, content)
        elif kind == "commit":
            head = content.partition(b"\n\n")[0].split(b"\n")
            parents[oid] = tuple(
                line[7:].decode("ascii", "replace") for line in head if line[:7] == b"parent "
            )

    few = len(new.commits) < _UNPACK_LIMIT and new.commit_bytes <= _UNPACK_BYTES
    commits = new.commits if few else ()
    refuse_endless(common_dir, new.trees, env=env, what=what, cache=side.expanse, also=commits, seen=see)
    refuse_planted(planting, [oid for oid, _ in new.trees], what=what, allowed=allowed)
    return parents


class NotWritten(BackendError):
    """The user's repository could not be written; another time it can."""


def _not_written(what: str, common_dir: Path, detail: str) -> NotWritten:
    return NotWritten(what, f"{common_dir} cannot be written", hint=f"df -h '{common_dir}'", detail=detail)


def _receiver(small: bool, partial: bool, fsck: tuple[str, ...]) -> tuple[str, ...]:
    if partial:
        return ("index-pack", "--fsck-objects", "--stdin")
    if fsck:
        # unpack-objects takes no exceptions.
        return ("index-pack", f"--strict={','.join(fsck)}", "--stdin")
    if small:
        return ("unpack-objects", "-q", "--strict")
    return ("index-pack", "--strict", "--stdin")
