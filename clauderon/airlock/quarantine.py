"""Verified copies of the container's objects: what git on the host may read instead of the private directory.

A loose object is copied only if its content has the name it goes by; a pack is copied and indexed afresh. Side
files (indexes, bitmaps, alternates, commit graphs) are never taken. The copies cannot change while git reads them.
Files' contents that the user's repository has already are not copied; once carried over, they are copied no longer.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from clauderon.airlock.bounds import Bounds as Bounds
from clauderon.airlock.layout import HostSide
from clauderon.airlock.leftout import MOST, LeftOut
from clauderon.airlock.loose import copy_loose
from clauderon.airlock.packs import DamagedPack, copy_pack
from clauderon.airlock.private_refs import FANS, Inside, fans, names_in, open_regular, opened
from clauderon.errors import CommandFailed, CommandTimeout, Refused
from clauderon.git.call import Git
from clauderon.git.environment import untrusting

_PACK = re.compile(r"pack-(?:[0-9a-f]{40}|[0-9a-f]{64})\.pack\Z")
_CHUNK = 1 << 20
# What indexing may take at the most: a chain of deltas can be laid out so that its links are undone again and again.
_INDEX_PACK_TIMEOUT_S = 60.0
_INDEX_PACK_BYTES_PER_S = 16 << 20
_INDEXING = (
    *("-c", "core.deltaBaseCacheLimit=256m"),
    *("-c", "core.bigFileThreshold=64m"),
    *("-c", "pack.writeReverseIndex=false"),
    *("index-pack", "--threads=2"),
)


class NoRoom(Refused):
    """The disk is nearly full; another time it may not be."""


class Quarantine:
    """The directory of copies, `airlock/<id>/objects`; brought up to date by `mirror`."""

    def __init__(
        self,
        side: HostSide,
        *,
        common_dir: Path,
        env: Mapping[str, str],
        name: str,
        bounds: Bounds | None = None,
        known: bool = False,
    ) -> None:
        """known: leave out the blobs that the repository has. Not for a partial clone, which would fetch the others."""
        self.objects = side.objects
        self._left_out = LeftOut(side.left_out)
        self._common_dir = common_dir
        self._env = untrusting(env)
        self._name = name
        self._bounds = bounds or Bounds()
        self._known = known
        self._copied = 0
        self._inflated = 0
        self._objects = 0
        self.notes: list[str] = []

    def mirror(self, inside: Inside) -> None:
        """Copy what is new inside and drop what is gone. Raises Refused beyond the bounds.

        Loose objects before packs: a gc inside writes the pack first and removes the loose files after, so what
        vanishes between the two looks is in a pack by then.
        """
        (self.objects / "pack").mkdir(parents=True, exist_ok=True)
        try:
            self._mirror_loose(inside)
            for _ in range(5):
                if self._mirror_packs(inside):
                    break
        finally:
            self._left_out.keep()

    def _mirror_loose(self, inside: Inside) -> None:
        missing: dict[str, list[str]] = {}
        present = 0
        for fan in sorted({*fans(inside), *FANS.intersection(names_in(self.objects))}):
            with opened(inside.root, ("objects", fan)) as directory:
                names = set() if directory is None else set(names_in(directory, self._bounds.files + 1))
            present += len(names)
            if present > self._bounds.files:
                raise self._too_much(f"more than {self._bounds.files} object files")
            lacking = self._lacking(fan, names, inside.oid_chars)
            if lacking:
                missing[fan] = lacking
        known = self._blobs_there(fan + name for fan, names in missing.items() for name in names)
        for fan, lacking in missing.items():
            with opened(inside.root, ("objects", fan)) as directory:
                if directory is not None:
                    self._copy_fan(directory, fan, (name for name in lacking if fan + name not in known))

    def _lacking(self, fan: str, names: set[str], oid_chars: int) -> list[str]:
        """Drop the copies of what is gone inside; returns the names that have none."""
        target = self.objects / fan
        have = set(names_in(target))
        for gone in have - names:
            (target / gone).unlink(missing_ok=True)
        return [
            name for name in names - have if len(name) == oid_chars - 2 and not name.strip("0123456789abcdef")
        ]

    def _blobs_there(self, oids: Iterable[str]) -> set[str]:
        """Those of these objects that the user's repository has, and that are files' contents."""
        asked = list(oids) if self._known else []
        if not asked:
            return set()
        git = Git(self._common_dir, self._env)
        found = git.described("%(objectname) %(objecttype)", asked)
        return {line[:-5] for line in found if line.endswith(" blob")}

    def _copy_fan(self, directory: int, fan: str, names: Iterable[str]) -> None:
        for name in names:
            descriptor = open_regular(directory, name)
            if descriptor is None:
                continue
            with open(descriptor, "rb") as file:
                self._copy_loose(file.fileno(), file.read, self.objects / fan / name, fan + name)

    def drop(self, blobs: Iterable[str]) -> None:
        """Take away copies of what the user's repository has by now; where `known` is not asked for, nothing."""
        if self._known:
            for oid in blobs:
                (self.objects / oid[:2] / oid[2:]).unlink(missing_ok=True)

    def _copy_loose(self, descriptor: int, read: Callable[[int], bytes], target: Path, oid: str) -> None:
        found = os.fstat(descriptor)
        if self._is_left_out(oid, found) or self._has_holes(oid, descriptor, found):
            return
        self._charge(found.st_size)
        partial = target.with_name("tmp_" + target.name)
        target.parent.mkdir(exist_ok=True)
        try:
            with open(partial, "wb") as copy:
                genuine = copy_loose(
                    read, found.st_size, copy.write, oid, largest=self._largest, inflates=self._inflates
                )
            if genuine:
                partial.replace(target)
            else:
                self._leave_out(oid, found, "")
        finally:
            partial.unlink(missing_ok=True)

    def _is_left_out(self, name: str, found: os.stat_result) -> bool:
        reason = self._left_out.reason(name, found)
        if reason:
            self.notes.append(reason)
        return reason is not None

    def _leave_out(self, name: str, found: os.stat_result, reason: str) -> None:
        self._left_out.add(name, found, reason)
        if self._left_out.full:
            raise self._too_much(f"more than {MOST} damaged objects")
        if reason:
            self.notes.append(reason)

    def _has_holes(self, name: str, descriptor: int, found: os.stat_result) -> bool:
        """Whether a file says it is larger than what is on the disk: a copy would not be."""
        if found.st_size <= _CHUNK:
            return False
        try:
            hole = os.lseek(descriptor, 0, os.SEEK_HOLE)
        except OSError:
            return False
        os.lseek(descriptor, 0, os.SEEK_SET)
        if hole < found.st_size:
            self._leave_out(
                name, found, "a file of objects inside has holes, which git never makes; it was skipped"
            )
            return True
        return False

    def _largest(self, kind: str, size: int) -> None:
        """Refuse a commit, a tag or a tree that git would have to hold in memory as a whole."""
        if kind != "blob" and size > self._bounds.structure:
            raise self._too_much(f"a {kind} of {size} bytes")

    def _inflates(self, size: int) -> None:
        """Count content that is about to be inflated. Raises Refused for too much."""
        self._inflated += size
        if self._inflated > self._bounds.inflated:
            raise self._too_much(f"objects of more than {self._bounds.inflated >> 30} GiB together")
        if self._inflated > self._bounds.free + self._bounds.ratio * self._copied:
            raise self._too_much(
                f"{self._copied >> 10} KiB that inflate to {self._inflated >> 20} MiB or more"
            )

    def _mirror_packs(self, inside: Inside) -> bool:
        """Whether every pack that was listed could be looked at; a repack inside may take one away meanwhile."""
        target = self.objects / "pack"
        for leftover in target.glob("tmp_*"):
            leftover.unlink(missing_ok=True)
        with opened(inside.root, ("objects", "pack")) as directory:
            names = set() if directory is None else set(names_in(directory, self._bounds.files))
            # Without its index a pack is still being written.
            packs = {name for name in names if _PACK.match(name) and name[:-5] + ".idx" in names}
            have = {name for name in names_in(target) if _PACK.match(name)}
            for gone in have - packs:
                self._drop_pack(target / gone)
            for name in packs - have:
                descriptor = None if directory is None else open_regular(directory, name)
                if descriptor is None:
                    if directory is not None and not _exists(directory, name):
                        return False
                    continue
                with open(descriptor, "rb") as file:
                    self._copy_pack(file.fileno(), file.read, target / name, inside.oid_chars // 2)
        return True

    def _copy_pack(
        self, descriptor: int, read: Callable[[int], bytes], target: Path, digest_bytes: int
    ) -> None:
        found, name = os.fstat(descriptor), target.name
        if self._is_left_out(name, found) or self._has_holes(name, descriptor, found):
            return
        self._charge(found.st_size)
        partial = target.with_name("tmp_" + name)
        before = self._inflated
        try:
            with open(partial, "wb") as copy:
                self._objects += copy_pack(
                    read,
                    found.st_size,
                    copy.write,
                    made=self._inflates,
                    digest_bytes=digest_bytes,
                    most_objects=self._bounds.files - self._objects,
                )
            # git names packs by their content, but nothing holds the container to it; our own index does.
            index = target.with_suffix(".idx")
            timeout_s = _INDEX_PACK_TIMEOUT_S + (self._inflated - before) / _INDEX_PACK_BYTES_PER_S
            git = Git(self._common_dir, self._env, timeout_s=timeout_s)
            git.call(*_INDEXING, "-o", str(index), str(partial))
            partial.replace(target)
        except (DamagedPack, CommandFailed, CommandTimeout) as error:
            why = _last_line(error.detail if isinstance(error, CommandFailed) else str(error))
            self._leave_out(name, found, f"a pack inside is damaged and was skipped: {why}")
        finally:
            partial.unlink(missing_ok=True)
            if not target.exists():
                self._drop_pack(target)

    @staticmethod
    def _drop_pack(pack: Path) -> None:
        for suffix in (".idx", ".rev", ".pack"):
            pack.with_suffix(suffix).unlink(missing_ok=True)

    def _charge(self, size: int) -> None:
        self._copied += size
        if self._copied > self._bounds.copied:
            raise self._too_much(f"new objects of more than {self._bounds.copied >> 30} GiB")
        if size > _CHUNK and shutil.disk_usage(self.objects).free - size < self._bounds.left_free:
            raise NoRoom(
                f"sync {self._name}",
                "the disk has no room for the session's new objects",
                hint="clauderon doctor",
            )

    def _too_much(self, what: str) -> Refused:
        return Refused(
            f"sync {self._name}",
            f"the container has {what}, more than is carried",
            hint=f"clauderon shell {self._name}  # then: git gc, or remove the large commit",
        )


def _exists(directory: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except OSError:
        return False
    return True


def _last_line(text: str) -> str:
    """The tool's last line, safe to show: names in it may be the container's."""
    lines = text.strip().splitlines()
    return ascii(lines[-1])[1:-1] if lines else "no reason given"
