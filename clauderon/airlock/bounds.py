"""How much of what a container made is looked at; see docs/airlock.md, "Bounds"."""

from __future__ import annotations

from typing import NamedTuple


class Bounds(NamedTuple):
    """What one session may make the host copy and inflate; beyond it is refused, not attempted.

    copied:    bytes of files.
    inflated:  bytes of content in any case; of that `free` bytes, and `ratio` times what the files take, since a
               few bytes can be made to expand to any number.
    structure: bytes of one commit, tag or tree.
    files:     number of files, and of objects in packs.
    left_free: bytes of the disk.
    """

    copied: int = 16 << 30
    inflated: int = 64 << 30
    free: int = 1 << 30
    ratio: int = 64
    structure: int = 64 << 20
    files: int = 4_000_000
    left_free: int = 256 << 20
