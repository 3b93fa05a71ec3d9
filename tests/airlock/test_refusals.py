"""What was refused is remembered until something changes."""

from __future__ import annotations

import pytest

from clauderon.errors import BackendError
from tests.airlock.bounds import timed
from tests.airlock.forging import (
    commit_of,
    entry,
    loose,
    name_of,
    point,
)
from tests.airlock.world import World


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
