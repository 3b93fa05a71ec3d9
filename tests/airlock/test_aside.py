"""What no ref could be made of is moved aside, once, also after a kill."""

from __future__ import annotations

from pathlib import Path

import pytest

from clauderon.airlock import aside
from tests.airlock.world import World


class Killed(BaseException):
    """As a SIGKILL would have it: nothing of ours goes on."""


def test_what_could_not_be_rescued_is_still_moved_aside_after_a_kill(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = world.inside("rev-parse", "HEAD^{tree}")
    (world.private / world.branch).write_text("ab" * 20 + "\n")
    world.write("uncommitted.txt", "work\n")
    first = world.rescue()
    monkeypatch.setattr(aside, "free", lambda _: (_ for _ in ()).throw(Killed))
    with pytest.raises(Killed):
        world.close()
    monkeypatch.undo()
    assert world.delete() == first
    assert (Path(first[-1]) / "inside/refs").is_dir()
    assert (Path(first[-1]) / "worktree/uncommitted.txt").exists()
    del tree
