"""Work in submodules: counted, asked about and kept."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.airlock.submodule_world import RESCUE, Sub, initialised
from tests.airlock.world import World, call


def test_an_untouched_submodule_is_no_work(sub: Sub) -> None:
    state = sub.world.state()
    assert (state.submodules, state.dirty) == ((), 0)
    assert sub.world.delete() == ()
    assert sub.world.refs() == {}


def test_what_is_ignored_or_only_touched_is_no_work(sub: Sub) -> None:
    (sub.files / "x.log").write_text("ignored\n")
    os.utime(sub.files / "a.txt")
    assert sub.world.state().submodules == ()


def test_commits_stashes_and_uncommitted_files_are_counted(sub: Sub) -> None:
    (sub.files / "a.txt").write_text("stashed\n")
    sub.git("stash", "--quiet")
    sub.commit("one.txt")
    sub.commit("two.txt")
    (sub.files / "a.txt").write_text("changed\n")
    (sub.files / "new.txt").write_text("new\n")
    (sub.files / "b/c.txt").unlink()
    state = sub.world.state()
    (work,) = state.submodules
    assert (work.path, len(work.commits), work.stashes, work.uncommitted) == ("mod", 2, 1, 3)
    assert state.dirty == 3
    assert work.unseen == []


def test_a_delete_keeps_all_of_it(sub: Sub) -> None:
    (sub.files / "a.txt").write_text("stashed\n")
    sub.git("stash", "--quiet")
    stash = sub.git("rev-parse", "stash@{0}")
    sub.git("checkout", "--quiet", "-b", "feature")
    feature = sub.commit("feature.txt")
    sub.git("checkout", "--quiet", "--detach")
    left = sub.commit("left.txt")
    sub.git("checkout", "--quiet", "--detach", "origin/main")
    (sub.files / "b/c.txt").write_text("changed\n")
    (sub.files / "new.txt").write_text("new\n")
    refs = sub.world.delete()
    kept = sub.world.refs()
    assert set(refs) == set(kept)
    assert kept[f"{RESCUE}/stash/0"] == stash
    assert kept[f"{RESCUE}/heads/feature"] == feature
    assert kept[f"{RESCUE}/dropped/0"] == left
    assert sub.world.show(f"{RESCUE}/work", "b/c.txt") == "changed"
    assert sub.world.show(f"{RESCUE}/work", "new.txt") == "new"
    assert len(kept) == 4
    sub.world.host("fsck", "--strict")


def test_a_submodule_that_was_taken_out_again_is_still_looked_at(sub: Sub) -> None:
    commit = sub.commit("one.txt")
    shutil.rmtree(sub.files)
    sub.files.mkdir()
    assert len(sub.world.state().submodules[0].commits) == 1
    assert sub.world.delete() == (f"{RESCUE}/work",)
    assert sub.world.refs()[f"{RESCUE}/work"] == commit


def test_a_repository_committed_as_a_submodule_without_being_one_is_kept_too(world: World, far: Path) -> None:
    """`git add` of a directory with a `.git` of its own."""
    call("git", "clone", "--quiet", str(far), "mod", cwd=world.worktree)
    sub = Sub(world, "mod", world.worktree / "mod/.git")
    commit = sub.commit("one.txt")
    (sub.files / "a.txt").write_text("changed\n")
    sub.set_in_session()
    world.sync()
    assert [len(work.commits) for work in world.state().submodules] == [1]
    world.delete()
    assert world.host("rev-parse", f"{RESCUE}/work^") == commit
    assert world.show(f"{RESCUE}/work", "a.txt") == "changed"


def test_a_shallow_submodule_with_work_is_moved_aside_and_without_is_not(sub: Sub, far: Path) -> None:
    for number in range(3):
        call("git", "commit", "--quiet", "--allow-empty", "-m", str(number), cwd=far)
    shutil.rmtree(sub.files)
    shutil.rmtree(sub.git_dir)
    shallow = initialised(sub.world, far, "mod", "--depth=1")
    assert sub.world.state().submodules == ()
    shallow.commit("one.txt")
    (work,) = sub.world.state().submodules
    assert len(work.commits) == 1
    *_, directory = sub.world.delete()
    assert (Path(directory) / "inside/modules/mod/HEAD").exists()
