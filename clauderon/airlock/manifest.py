"""What a carry would bring: the objects that are new, their kinds, and what they take on disk and in memory.

Asks git, in the user's repository, before anything is written. Names no paths: the container makes them as long
as it likes, and git would repeat them for every object below.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from clauderon.errors import Refused
from clauderon.git.call import Git, lines

# Reachable from what stdin names, not from what the user's branches hold already.
_NEW = ("--objects", "--no-object-names", "--stdin", "--not", "--branches", "--remotes")
_FORMAT = "%(objectname) %(objecttype) %(objectsize) %(objectsize:disk) %(deltabase)"
# What git holds in memory as a whole, and prints in one piece: a commit with its message, a tag, a directory.
_LARGEST = {"commit": 4 << 20, "tag": 4 << 20, "tree": 64 << 20}


class Manifest:
    """New objects.

    oids:    all of them, commits newest first.
    commits: those that are commits, newest first, of `commit_bytes` together. trees: name and size. blobs: files'
             contents.
    disk:    bytes they take where they lie now.
    loose:   bytes they would take one by one: a delta as much as it makes, at most.
    size:    bytes of their content.
    bases:   blobs that are not new, or not reachable, but that new blobs are deltas of; with them on the way a pack
             stays as small as it is.
    """

    __slots__ = ("bases", "blobs", "commit_bytes", "commits", "disk", "loose", "oids", "size", "trees")

    def __init__(self) -> None:
        self.oids: list[str] = []
        self.commits: list[str] = []
        self.commit_bytes = 0
        self.trees: list[tuple[str, int]] = []
        self.blobs: list[str] = []
        self.disk = self.loose = self.size = 0
        self.bases: list[str] = []


def manifest(
    git: Git,
    *,
    tips: Iterable[str],
    known: Iterable[str],
    partial: bool,
    what: str,
) -> Manifest:
    """List what `tips` need and the repository does not have. Raises CommandFailed for a history with a hole, and
    Refused for a commit, tag or directory that is too large for anybody to look at."""
    holes = ("--missing=allow-promisor",) if partial else ()
    asked = lines([*tips, *(f"^{oid}" for oid in known)])
    listed = git.call("rev-list", *holes, *_NEW, stdin=asked).stdout
    found = Manifest()
    wanted = set[str]()
    for oid, kind, size, disk, base in _described(git, listed):
        if size > _LARGEST.get(kind, size):
            raise Refused(
                what,
                f"inside, there is a {kind} of {size} bytes ({oid[:12]}), beyond what is carried",
                hint="git reset --hard HEAD~  # inside the session",
            )
        found.oids.append(oid)
        if kind == "commit":
            found.commits.append(oid)
            found.commit_bytes += size
        elif kind == "tree":
            found.trees.append((oid, size))
        elif kind == "blob":
            found.blobs.append(oid)
        found.disk += disk
        found.size += size
        found.loose += disk if base is None else size
        if base is not None and kind == "blob":
            wanted.add(base)
    _add_bases(git, found, wanted)
    return found


def _add_bases(git: Git, found: Manifest, wanted: set[str]) -> None:
    """Follow deltas down to what they begin at. Blobs only: nothing is linked from them."""
    seen = set(found.oids)
    level = wanted - seen
    while level:
        seen |= level
        following = set[str]()
        for oid, _kind, _size, disk, base in _described(git, level):
            found.bases.append(oid)
            found.disk += disk
            if base is not None:
                following.add(base)
        level = following - seen


def _described(git: Git, oids: Collection[str] | bytes) -> Iterable[tuple[str, str, int, int, str | None]]:
    """For each object: its name, kind, size, size on disk, and what it is a delta of."""
    if not oids:
        return
    for line in git.described(_FORMAT, oids):
        fields = line.split(" ")
        if len(fields) == 5:  # else "missing": a hole in a partial clone
            oid, kind, size, disk, base = fields
            yield oid, kind, int(size), int(disk), base if base.strip("0") else None
