"""A session's refs are changed in one transaction, and never blindly."""

from __future__ import annotations

import pytest

from clauderon.airlock import closing
from clauderon.airlock.refs import update_refs
from tests.airlock.world import World


def test_refs_that_keep_moving_are_not_deleted_blindly(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody commits to the branch on the host between the judgement and the removal."""
    world.commit()
    world.sync()
    world.host("merge", "--quiet", world.session.branch)
    real = update_refs
    moved: list[str] = []

    def move_first(*args: object) -> None:
        if not moved:
            commit = world.host("commit-tree", "HEAD^{tree}", "-p", world.branch, "-m", "Last minute")
            world.host("update-ref", world.branch, commit)
            moved.append(commit)
        real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(closing, "update_refs", move_first)
    assert world.close() is True
    assert world.refs("refs/heads")[world.branch] == moved[0]
