"""Objects on their way into the user's repository are checked by the user's own rules."""

from __future__ import annotations

import pytest

from clauderon import proc
from clauderon.airlock.carry import Carried
from clauderon.errors import BackendError
from tests.airlock.world import World


def test_the_users_own_exceptions_from_fsck_hold(world: World) -> None:
    tree = world.inside("rev-parse", "HEAD^{tree}")
    text = f"tree {tree}\nparent {world.session.base}\nauthor A <a@example.test> 1 +0000\ncommitter A<a@b> 1 +0000\n\nx\n"
    commit = world.inside("hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=text)
    (world.private / world.branch).write_text(f"{commit}\n")
    with pytest.raises(BackendError, match="refuses"):
        world.sync()
    world.host("config", "receive.fsck.missingSpaceBeforeEmail", "ignore")
    assert world.sync().new == commit


def test_a_repository_that_cannot_be_written_is_said_to_be(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clauderon.errors import CommandFailed

    world.commit()

    def full(*_args: object, **_options: object) -> None:
        raise CommandFailed(["git"], 128, b"", b"fatal: write error: No space left on device\n")

    monkeypatch.setattr(proc, "pipe", full)
    with pytest.raises(BackendError, match="cannot be written") as caught:
        world.sync()
    assert "No space left" in caught.value.detail


def test_only_a_straight_line_of_new_commits_is_counted_without_git() -> None:
    parents = {"d": ("c",), "c": ("b",), "m": ("c", "x"), "r": ()}
    carried = Carried(0, (), (), parents)
    assert [carried.straight("b", new) for new in ("d", "c", "b")] == [2, 1, 0]
    for old, new in (("b", "m"), ("a", "d"), ("b", "r"), ("d", "b"), ("b", "unknown")):
        assert carried.straight(old, new) is None


def test_the_commits_that_a_sync_brings_are_counted_as_git_does(world: World) -> None:
    """In a line; behind a merge; beside a host that went on; after a rewrite; many at once."""
    counts = []
    for number in range(2):
        world.commit(f"{number}.txt")
    counts.append(world.sync().commits)
    world.inside("switch", "--quiet", "--create", "side", "HEAD~")
    world.commit("side.txt")
    world.inside("switch", "--quiet", "-")
    world.inside("merge", "--quiet", "--no-edit", "side")
    counts.append(world.sync().commits)
    world.inside("reset", "--quiet", "--hard", "HEAD~")
    world.commit("again.txt")
    rewritten = world.sync()
    counts.append(rewritten.commits)
    assert any("rewrote 2 commits" in note for note in rewritten.notes)
    for number in range(120):
        world.inside("commit", "--quiet", "--allow-empty", "--message", f"{number}")
    counts.append(world.sync().commits)
    assert counts == [2, 2, 1, 120]
