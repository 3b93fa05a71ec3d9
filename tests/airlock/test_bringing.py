"""A branch comes over whole, or not at all, whatever happens meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from clauderon.airlock import carry
from clauderon.airlock.layout import own_ref
from tests.airlock.world import World, call


def test_many_objects_arrive_as_one_pack_and_few_as_loose_objects(world: World) -> None:
    packs = Path(world.session.git_dir) / "objects" / "pack"
    world.commit("few.txt")
    world.sync()
    assert not list(packs.glob("*.pack"))
    for number in range(150):
        world.write(f"many/{number}.txt", str(number))
    commit = world.commit("many/last.txt")
    assert world.sync().new == commit
    assert len(list(packs.glob("*.pack"))) == 1


def test_a_merge_with_history_fetched_inside_comes_over_whole(world: World, tmp_path: Path) -> None:
    other = tmp_path / "other"
    call("git", "clone", "--quiet", str(world.repo), str(other), cwd=tmp_path)
    for number in range(120):
        (other / f"{number}.txt").write_text(str(number))
    call("git", "add", "--all", cwd=other)
    call("git", "commit", "--quiet", "--message", "Elsewhere", cwd=other)
    world.commit("mine.txt")
    world.inside("fetch", "--quiet", str(other), "HEAD")
    world.inside("merge", "--quiet", "--no-edit", "FETCH_HEAD")
    result = world.sync()
    assert result.outcome == "advanced"
    assert world.show(world.tip(), "119.txt") == "119"
    world.host("fsck", "--strict")


def test_a_branch_that_moves_on_the_host_during_the_sync_is_not_overwritten(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clauderon.airlock import bringing

    inside = world.commit("inside.txt")
    real = carry.carry

    def carry_then_move(*args: object, **kwargs: object) -> object:
        carried = real(*args, **kwargs)  # type: ignore[arg-type]
        monkeypatch.setattr(bringing, "carry", real)
        world.host("commit", "--quiet", "--allow-empty", "--message", "Meanwhile", cwd=world.worktree)
        return carried

    monkeypatch.setattr(bringing, "carry", carry_then_move)
    result = world.sync()
    assert result.outcome == "diverged"
    assert world.host("log", "-1", "--format=%s", world.branch) == "Meanwhile"
    assert world.refs()[own_ref("fix", "incoming")] == inside


def test_a_sync_killed_before_the_index_followed_is_finished_by_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clauderon.airlock import syncing

    commit = world.commit("inside.txt")
    (world.worktree / "staged.txt").write_text("by hand\n")
    world.host("add", "staged.txt", cwd=world.worktree)
    with monkeypatch.context() as patch:
        patch.setattr(syncing, "follow", lambda *_args, **_kwargs: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            world.sync()
    assert world.tip() == commit
    assert "D  inside.txt" in world.host("status", "--porcelain", cwd=world.worktree)
    assert world.sync().outcome == "up-to-date"
    assert world.host("status", "--porcelain", cwd=world.worktree) == "A  staged.txt"
    assert not world.side.following.exists()
