"""A little inside that would be much outside: on the disk, in memory, or in time; once, and again at each sync."""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clauderon.airlock import landing, leftout, quarantine
from clauderon.airlock.loose import copy_loose
from clauderon.airlock.packs import copy_pack
from clauderon.errors import BackendError, ClauderonError, Refused
from tests.airlock.forging import (
    BLOB,
    TREE,
    commit_of,
    copies,
    copies_name,
    disk_bytes,
    entry,
    loose,
    name_of,
    pack,
    pack_header,
    point,
    tree_of,
    whole,
)
from tests.airlock.world import World

MIB = 1 << 20
# Two git processes, and directories to look at; not seconds.
AT_ONCE_S = 0.6


def git_dir(world: World) -> Path:
    return world.repo / ".git"


def timed(call: Callable[[], object]) -> float:
    start = time.monotonic()
    with pytest.raises(ClauderonError):
        call()
    return time.monotonic() - start


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


def test_a_session_cannot_make_the_repository_grow_far_beyond_what_it_holds_itself(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trees that are deltas of one that is not carried go whole: a bound on all of a session's syncs together.
    Seen to fail with no bound.
    With no bound, each sync of a few hundred bytes takes another MiB."""
    monkeypatch.setattr(landing, "GROWTH", MIB)
    blob = loose(world.private, "blob", b"x")
    base = b"".join(
        entry("100644", b"%06d" % number + os.urandom(40).hex().encode(), blob) for number in range(8000)
    )
    extras = [entry("100644", b"z%d" % number, blob) for number in range(9)]
    pack(world.private, [whole(TREE, base), *(copies(base, 1, extra, TREE) for extra in extras)])
    before, tip = disk_bytes(git_dir(world)), world.session.base
    with pytest.raises(Refused, match="far more than inside"):
        for extra in extras:
            tip = commit_of(world, copies_name(base, 1, extra, TREE), tip)
            point(world, tip)
            world.sync()
    assert disk_bytes(git_dir(world)) - before < 3 * MIB
    assert timed(world.sync) < AT_ONCE_S


def test_an_ordinary_commit_is_still_stored_loose(world: World) -> None:
    world.commit("one.txt")
    world.inside("gc", "--quiet")
    commit = world.commit("two.txt")
    assert world.sync().new == commit
    assert not list((git_dir(world) / "objects/pack").glob("*.pack"))


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


def test_an_object_that_is_not_what_its_name_says_is_inflated_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing remembered each sync inflates it again. Seen to fail when nothing was remembered."""
    looked: list[str] = []
    real = copy_loose

    def counted(*args: object, **options: object) -> bool:
        looked.append(str(args[3]))
        return bool(real(*args, **options))  # type: ignore[arg-type]

    monkeypatch.setattr(quarantine, "copy_loose", counted)
    forged = loose(world.private, "blob", bytes(8 * MIB), name="ab" * 20)
    for number in range(3):
        commit = world.commit(f"{number}.txt")
        assert world.sync().new == commit
    assert looked.count(forged) == 1
    loose(world.private, "blob", b"other", name=forged)
    world.commit("more.txt")
    world.sync()
    assert looked.count(forged) == 2


def test_a_damaged_pack_is_indexed_once_and_said_each_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to fail when nothing was remembered."""
    looked: list[object] = []
    real = copy_pack

    def counted(*args: Any, **options: Any) -> int:
        looked.append(args)
        return real(*args, **options)

    monkeypatch.setattr(quarantine, "copy_pack", counted)
    pack(world.private, [whole(BLOB, b"x"), pack_header(5, 3) + zlib.compress(b"abc")])
    for number in range(3):
        world.commit(f"{number}.txt")
        (note,) = world.sync().notes
        assert note == "a pack inside is damaged and was skipped: an entry is of no kind that git knows"
    assert len(looked) == 1


def test_crowds_of_damaged_objects_are_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen to fail without the bound."""
    monkeypatch.setattr(leftout, "MOST", 20)
    world.commit()
    for number in range(30):
        loose(world.private, "blob", b"x", name=f"{number:040x}")
    with pytest.raises(Refused, match="damaged objects"):
        world.sync()


@pytest.mark.parametrize("count", [3, 150])
def test_a_refused_history_leaves_nothing_in_the_users_repository(world: World, count: int) -> None:
    """git leaves `tmp_pack_*` behind when it refuses a pack: with no landing place, one more at each sync.

    Seen to fail when the landing place was not removed.
    """
    blobs = [loose(world.private, "blob", os.urandom(10000)) for _ in range(count)]
    # Not in order, which git refuses when it has the whole pack already.
    content = entry("100644", b"z", blobs[0])
    content += b"".join(entry("100644", b"%06d" % number, oid) for number, oid in enumerate(blobs))
    point(world, commit_of(world, loose(world.private, "tree", content), world.session.base))
    before = sorted(path for path in git_dir(world).rglob("*") if "objects" in path.parts)
    with pytest.raises(BackendError, match="refuses"):
        world.sync()
    assert timed(world.sync) < AT_ONCE_S
    assert sorted(path for path in git_dir(world).rglob("*") if "objects" in path.parts) == before


def test_what_a_kill_left_at_the_landing_place_goes_with_the_next_sync(world: World) -> None:
    """Seen to fail when the landing place was not removed."""
    left = landing.place(git_dir(world), world.side)
    (left / "pack").mkdir(parents=True)
    (left / "pack/tmp_pack_abcdef").write_bytes(bytes(1000))
    world.commit()
    world.sync()
    assert not left.exists()


def test_a_refusal_is_forgotten_when_anything_changes(world: World) -> None:
    blob = loose(world.private, "blob", b"x")
    bad = loose(world.private, "tree", entry("100644", b"b", blob) + entry("100644", b"a", blob))
    point(world, commit := commit_of(world, bad, world.session.base))
    assert timed(world.sync) > 0
    world.host("config", "receive.fsck.treeNotSorted", "ignore")
    assert world.sync().new == commit


def test_a_missing_object_is_looked_for_again_once_one_arrives(world: World) -> None:
    hidden = b"not there yet"
    tree = loose(world.private, "tree", entry("100644", b"a", name_of("blob", hidden)))
    point(world, commit := commit_of(world, tree, world.session.base))
    for _ in range(2):
        with pytest.raises(BackendError, match="incomplete"):
            world.sync()
    loose(world.private, "blob", hidden)
    assert world.sync().new == commit


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
