"""A little inside that would be much outside: on the disk, in memory, or in time; once, and again at each sync."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import pytest

from clauderon.errors import Refused
from tests.airlock.bounds import AT_ONCE_S, MIB, git_dir, timed
from tests.airlock.forging import (
    BLOB,
    commit_of,
    copies,
    copies_name,
    disk_bytes,
    entry,
    loose,
    name_of,
    pack,
    point,
    tree_of,
    whole,
)
from tests.airlock.world import World


def deltas(world: World, *, base: bytes, times: int, count: int) -> list[str]:
    """Blobs that are `base` many times over, in a pack that holds little more than `base` once."""
    extras = [b"%06d" % number for number in range(count)]
    pack(world.private, [whole(BLOB, base), *(copies(base, times, extra) for extra in extras)])
    return [copies_name(base, times, extra) for extra in extras]


def test_a_pack_that_inflates_to_gigabytes_is_refused_and_the_refusal_remembered(world: World) -> None:
    """With the headers not read: 1.5 GiB in the user's repository from 1 MiB, and half a minute at each sync.

    Seen to fail when the headers' sizes were not counted.
    """
    blobs = deltas(world, base=os.urandom(MIB), times=256, count=6)
    point(world, commit_of(world, tree_of(world, blobs), world.session.base))
    before = disk_bytes(git_dir(world))
    assert timed(world.sync) < 5
    with pytest.raises(Refused, match=r"KiB that inflate to \d+ MiB"):
        world.sync()
    assert timed(world.sync) < AT_ONCE_S
    assert disk_bytes(git_dir(world)) - before < MIB
    assert world.tip() == world.session.base


@pytest.mark.parametrize("with_base", [True, False])
def test_what_is_small_by_deltas_stays_small_outside(world: World, with_base: bool) -> None:
    """Unpacked loose, or packed without what the deltas are made from: 320 MiB from 1 MiB.

    Seen to fail unpacked loose, and without what the deltas are made from.
    """
    base = os.urandom(MIB)
    blobs = deltas(world, base=base, times=16, count=20)
    tree = tree_of(world, [*blobs, name_of("blob", base)] if with_base else blobs)
    commit = commit_of(world, tree, world.session.base)
    point(world, commit)
    before = disk_bytes(git_dir(world))
    assert world.sync().new == commit
    assert disk_bytes(git_dir(world)) - before < 3 * MIB
    assert world.host("cat-file", "-s", f"{commit}:000007") == str(16 * MIB + 6)
    world.host("fsck", "--strict")


def test_deltas_of_what_the_user_has_stay_small_outside(world: World) -> None:
    """Seen to fail without what the deltas are made from: 16 MiB."""
    base = os.urandom(MIB)
    (world.repo / "large.bin").write_bytes(base)
    world.host("add", "large.bin")
    world.host("commit", "--quiet", "--message", "Large")
    blobs = deltas(world, base=base, times=16, count=10)
    point(world, commit := commit_of(world, tree_of(world, blobs), world.session.base))
    before = disk_bytes(git_dir(world))
    assert world.sync().new == commit
    assert disk_bytes(git_dir(world)) - before < 3 * MIB


def test_a_loose_object_of_gigabytes_is_refused_by_its_header_each_time_at_once(world: World) -> None:
    """With the size believed only after inflating it: 10 s at each sync, from 4 MB.

    Seen to fail when the header's size was not counted.
    """
    world.commit()
    deflate = zlib.compressobj(9)
    data = deflate.compress(b"blob %d\0" % (4 << 30))
    zeros = bytes(16 * MIB)
    data += b"".join(deflate.compress(zeros) for _ in range(4)) + deflate.flush()
    path = world.private / "objects/ab" / ("cd" * 19)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    assert timed(world.sync) < 2
    assert timed(world.sync) < AT_ONCE_S


@pytest.mark.parametrize("kind", ["commit", "tag"])
def test_a_message_of_megabytes_is_refused_and_kept_aside(world: World, kind: str) -> None:
    """Seen to fail without the bound on a commit's and a tag's size."""
    tree = world.inside("rev-parse", "HEAD^{tree}")
    commit = commit_of(world, tree, world.session.base, message="m" * (5 * MIB))
    if kind == "commit":
        point(world, commit)
        with pytest.raises(Refused, match="a commit of"):
            world.sync()
    else:
        text = f"object {commit_of(world, tree, world.session.base)}\ntype commit\ntag t\n"
        text += "tagger A <a@example.test> 1700000000 +0000\n\n" + "m" * (5 * MIB) + "\n"
        (world.private / "refs/tags/t").write_text(loose(world.private, "tag", text.encode()) + "\n")
    *_, kept = world.delete()
    assert "beyond what is carried" in (Path(kept) / "reasons").read_text()


def test_a_name_of_megabytes_is_not_repeated_for_all_that_lies_below(world: World) -> None:
    """With the paths in the listing: 1.2 GiB of text in memory from a few KiB.

    Seen to fail with the paths listed.
    """
    blobs = [loose(world.private, "blob", b"%d" % number) for number in range(300)]
    tree = loose(world.private, "tree", entry("40000", b"n" * (4 * MIB), tree_of(world, blobs)))
    point(world, commit_of(world, tree, world.session.base))
    assert timed(world.sync) < 5
    assert timed(world.sync) < AT_ONCE_S


def test_a_file_with_holes_is_not_filled_on_the_host(world: World) -> None:
    """Stored blocks of zeros with nothing on the disk between their headers: sixteen times as large in a copy.

    Seen to fail when holes were not looked for.
    """
    commit = world.commit()
    content = b"blob %d\0" % (64 * MIB)
    path = world.private / "objects/ab" / ("cd" * 19)
    path.parent.mkdir(exist_ok=True)
    with open(path, "wb") as file:
        file.write(zlib.compress(content)[:-6])
        file.truncate(64 * MIB)
    result = world.sync()
    assert result.new == commit
    assert "holes" in result.notes[0]


def test_a_pack_is_read_to_its_first_wrong_byte_and_no_further(world: World) -> None:
    """Seen to fail when what follows the end was not looked at."""
    world.commit()
    path = pack(world.private, [whole(BLOB, b"x")])
    path.write_bytes(path.read_bytes()[:-20] + bytes(8 * MIB))
    (note,) = world.sync().notes
    assert "continues after its end" in note


@pytest.mark.parametrize("suffix", [".keep", ".promisor", ".bitmap", ".rev", ".mtimes"])
def test_what_lies_beside_a_pack_is_not_taken(world: World, suffix: str) -> None:
    """Seen to fail with all that lies beside it copied."""
    commit = world.commit()
    world.inside("repack", "-adq")
    (found,) = (world.private / "objects/pack").glob("*.pack")
    found.with_suffix(suffix).write_bytes(b"x")
    (world.private / "objects/pack/multi-pack-index").write_bytes(b"MIDX")
    (world.private / "objects/info/commit-graph").write_bytes(b"CGPH")
    assert world.sync().new == commit
    names = {path.suffix or path.name for path in (world.side.objects / "pack").iterdir()}
    assert names == {".pack", ".idx"}
    assert not list((git_dir(world) / "objects/pack").glob(f"*{suffix}"))
    world.host("fsck", "--strict")
