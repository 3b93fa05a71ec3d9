"""Verified copies of the container's objects: what git on the host may read instead of the private directory.

A loose object is copied only if its content has the name it goes by; a pack is copied and indexed afresh. Side
files (indexes, bitmaps, alternates, commit graphs) are never taken. The copies cannot change while git reads them.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from clauderon import proc
from clauderon.airlock.carry import untrusting
from clauderon.airlock.inside import Inside, names_in, open_regular, opened
from clauderon.airlock.layout import HostSide
from clauderon.errors import CommandFailed, Refused
from clauderon.git.environment import hardened

_PACK = re.compile(r"pack-(?:[0-9a-f]{40}|[0-9a-f]{64})\.pack\Z")
_CHUNK = 1 << 20
_HEADER = re.compile(rb"(blob|tree|commit|tag) (0|[1-9][0-9]{0,18})\x00")
_HEADER_BYTES = 32
_INDEX_PACK_TIMEOUT_S = 1800.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one session may make the host copy and inflate; beyond it is refused, not attempted.

    Bytes of files copied, bytes of content inflated while verifying, bytes of one commit or tree, number of files.
    """

    copied: int = 16 << 30
    inflated: int = 64 << 30
    structure: int = 64 << 20
    files: int = 4_000_000
    left_free: int = 256 << 20


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
    ) -> None:
        self.objects = side.objects
        self._common_dir = common_dir
        self._env = untrusting(env)
        self._name = name
        self._bounds = bounds or Bounds()
        self._copied = 0
        self._inflated = 0
        self.notes: list[str] = []

    def mirror(self, inside: Inside) -> None:
        """Copy what is new inside and drop what is gone. Raises Refused beyond the bounds.

        Loose objects before packs: a gc inside writes the pack first and removes the loose files after, so what
        vanishes between the two looks is in a pack by then.
        """
        (self.objects / "pack").mkdir(parents=True, exist_ok=True)
        self._mirror_loose(inside)
        for _ in range(5):
            if self._mirror_packs(inside):
                break

    def _mirror_loose(self, inside: Inside) -> None:
        present = 0
        for number in range(256):
            fan = f"{number:02x}"
            with opened(inside.root, ("objects", fan)) as directory:
                names = set() if directory is None else set(names_in(directory, self._bounds.files + 1))
                present += len(names)
                if present > self._bounds.files:
                    raise self._too_much(f"more than {self._bounds.files} object files")
                self._mirror_fan(directory, fan, names, inside.oid_chars)

    def _mirror_fan(self, directory: int | None, fan: str, names: set[str], oid_chars: int) -> None:
        target = self.objects / fan
        have = set(names_in(target))
        for gone in have - names:
            (target / gone).unlink(missing_ok=True)
        for name in names - have:
            if directory is None or len(name) != oid_chars - 2 or name.strip("0123456789abcdef"):
                continue
            descriptor = open_regular(directory, name)
            if descriptor is None:
                continue
            with open(descriptor, "rb") as file:
                self._copy_loose(file.read, os.fstat(descriptor).st_size, target / name, fan + name)

    def _copy_loose(self, read: Callable[[int], bytes], size: int, target: Path, oid: str) -> None:
        self._charge(size)
        partial = target.with_name("tmp_" + target.name)
        target.parent.mkdir(exist_ok=True)
        try:
            with open(partial, "wb") as copy:
                genuine = self._verified(read, size, copy.write, oid)
            if genuine:
                partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)

    def _verified(
        self, read: Callable[[int], bytes], size: int, write: Callable[[bytes], object], oid: str
    ) -> bool:
        """Copy at most `size` bytes while inflating them; whether the content has the name `oid`."""
        digest = hashlib.sha1(usedforsecurity=False) if len(oid) == 40 else hashlib.sha256()
        inflate = zlib.decompressobj()
        expected, produced, head = -1, 0, b""
        while size > 0 and not inflate.eof:
            raw = read(min(size, _CHUNK))
            if not raw:
                return False
            size -= len(raw)
            write(raw)
            while raw:
                try:
                    content = inflate.decompress(raw, _CHUNK)
                except zlib.error:
                    return False
                raw = inflate.unconsumed_tail
                digest.update(content)
                produced += len(content)
                self._inflated += len(content)
                if self._inflated > self._bounds.inflated:
                    raise self._too_much(f"objects of more than {self._bounds.inflated >> 30} GiB together")
                if expected < 0:
                    head += content[:_HEADER_BYTES]
                    header = _HEADER.match(head)
                    if header is None:
                        if len(head) >= _HEADER_BYTES or inflate.eof:
                            return False
                        continue
                    expected = len(header[0]) + int(header[2])
                    if header[1] != b"blob" and expected > self._bounds.structure:
                        raise self._too_much(f"a {header[1].decode()} of {int(header[2])} bytes")
                if produced > expected:
                    return False
        whole = inflate.eof and not inflate.unused_data and size == 0 and produced == expected
        return whole and digest.hexdigest() == oid

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
                    self._copy_pack(file.read, os.fstat(descriptor).st_size, target / name)
        return True

    def _copy_pack(self, read: Callable[[int], bytes], size: int, target: Path) -> None:
        self._charge(size)
        partial = target.with_name("tmp_" + target.name)
        try:
            with open(partial, "wb") as copy:
                while size > 0 and (raw := read(min(size, _CHUNK))):
                    size -= len(raw)
                    copy.write(raw)
            # git names packs by their content, but nothing holds the container to it; our own index does.
            index = target.with_suffix(".idx")
            argv = hardened(self._common_dir, "index-pack", "-o", str(index), str(partial))
            proc.start(argv, env=self._env, cwd="/").result(timeout_s=_INDEX_PACK_TIMEOUT_S)
            partial.replace(target)
        except CommandFailed as error:
            self.notes.append(f"a pack inside is damaged and was left out: {_last_line(error.detail)}")
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
            raise Refused(
                f"sync {self._name}",
                "the disk has no room for the session's new objects",
                hint="clauderon doctor",
            )

    def _too_much(self, what: str) -> Refused:
        return Refused(
            f"sync {self._name}",
            f"the container holds {what}, beyond what is carried",
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
