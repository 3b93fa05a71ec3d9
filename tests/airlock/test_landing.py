"""Where objects land: as much as the session holds itself, and nothing that a kill left."""

from __future__ import annotations

import os

import pytest

from clauderon.airlock import landing
from clauderon.errors import BackendError, Refused
from tests.airlock.bounds import AT_ONCE_S, MIB, git_dir, timed
from tests.airlock.forging import (
    TREE,
    commit_of,
    copies,
    copies_name,
    disk_bytes,
    entry,
    loose,
    pack,
    point,
    whole,
)
from tests.airlock.world import World


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
