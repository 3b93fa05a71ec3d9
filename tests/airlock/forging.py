"""Objects and packs as no git would write them: what a container can put into its private directory."""

from __future__ import annotations

import hashlib
import subprocess
import zlib
from collections.abc import Sequence
from pathlib import Path

from tests.airlock.world import World

COMMIT, TREE, BLOB, TAG = 1, 2, 3, 4
_NAMES = {COMMIT: "commit", TREE: "tree", BLOB: "blob", TAG: "tag"}


def name_of(kind: str, content: bytes) -> str:
    data = b"%b %d\0" % (kind.encode(), len(content)) + content
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


def loose(private: Path, kind: str, content: bytes, *, name: str | None = None, level: int = 6) -> str:
    """Write a loose object; `name` forges the name."""
    data = b"%b %d\0" % (kind.encode(), len(content)) + content
    oid = name or name_of(kind, content)
    path = private / "objects" / oid[:2] / oid[2:]
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(zlib.compress(data, level))
    return oid


def commit_of(world: World, tree: str, *parents: str, message: str = "x") -> str:
    lines = [f"tree {tree}", *(f"parent {oid}" for oid in parents)]
    lines += [
        "author A <a@example.test> 1700000000 +0000",
        "committer A <a@example.test> 1700000000 +0000",
        "",
        message,
    ]
    return loose(world.private, "commit", ("\n".join(lines) + "\n").encode())


def point(world: World, oid: str) -> None:
    (world.private / world.branch).write_text(f"{oid}\n")


def entry(mode: str, name: bytes, oid: str) -> bytes:
    return mode.encode() + b" " + name + b"\0" + bytes.fromhex(oid)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def pack_header(kind: int, size: int) -> bytes:
    """The first bytes of an entry."""
    first, rest = kind << 4 | size & 15, size >> 4
    return bytes([first]) if not rest else bytes([first | 0x80]) + _varint(rest)


def whole(kind: int, content: bytes) -> bytes:
    return pack_header(kind, len(content)) + zlib.compress(content)


def copies(base: bytes, times: int, extra: bytes, kind: int = BLOB) -> bytes:
    """A delta that is `base` so many times, and a few bytes."""
    body = bytearray(_varint(len(base)) + _varint(len(base) * times + len(extra)))
    for _ in range(times):
        for start in range(0, len(base), 0xFFFFFF):
            length = min(0xFFFFFF, len(base) - start)
            body += b"\xff" + start.to_bytes(4, "little") + length.to_bytes(3, "little")
    body += bytes([len(extra)]) + extra
    name = bytes.fromhex(name_of(_NAMES[kind], base))
    return pack_header(7, len(body)) + name + zlib.compress(bytes(body))


def copies_name(base: bytes, times: int, extra: bytes, kind: int = BLOB) -> str:
    digest = hashlib.sha1(
        b"%b %d\0" % (_NAMES[kind].encode(), len(base) * times + len(extra)), usedforsecurity=False
    )
    for _ in range(times):
        digest.update(base)
    digest.update(extra)
    return digest.hexdigest()


def pack(private: Path, entries: Sequence[bytes]) -> Path:
    """A pack of these entries, with an index that says nothing."""
    content = b"PACK" + (2).to_bytes(4) + len(entries).to_bytes(4) + b"".join(entries)
    digest = hashlib.sha1(content, usedforsecurity=False)
    path = private / "objects/pack" / f"pack-{digest.hexdigest()}.pack"
    path.write_bytes(content + digest.digest())
    path.with_suffix(".idx").write_bytes(b"")
    return path


def tree_of(world: World, blobs: Sequence[str]) -> str:
    """A tree of files, and of what the session began with nothing."""
    content = b"".join(entry("100644", b"%06d" % number, oid) for number, oid in enumerate(blobs))
    return loose(world.private, "tree", content)


def disk_bytes(directory: Path) -> int:
    """What a directory takes on the disk."""
    return (
        int(subprocess.run(["du", "-sk", directory], capture_output=True, check=True).stdout.split()[0]) << 10
    )
