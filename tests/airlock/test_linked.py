"""Work in git worktrees that an agent made inside: counted, asked about and kept as the session's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clauderon.airlock.rescues import rescued_refs
from tests.airlock.world import World, call

RESCUE = "refs/clauderon/rescue/fix"
SECRET = "the person's own\n"


def home_of(world: World) -> Path:
    return world.home.session_home(world.session.id)


def added(world: World, name: str, *options: str) -> Path:
    """`git worktree add` in the agent's home, as the container does it."""
    place = home_of(world) / name
    place.parent.mkdir(parents=True, exist_ok=True)
    world.inside("worktree", "add", "--quiet", *options, str(place))
    (world.private / "worktrees" / name / "gitdir").write_text(f"/clauderon/home/{name}/.git\n")
    return place


def commit(world: World, place: Path, name: str) -> str:
    env = {
        "GIT_DIR": str(world.private / "worktrees" / place.name),
        "GIT_WORK_TREE": str(place),
        **world.borrowed,
    }
    (place / name).write_text("committed\n")
    call("git", "add", "--all", cwd=place, env=env)
    call("git", "commit", "--quiet", "--message", "In a worktree", cwd=place, env=env)
    return call("git", "rev-parse", "HEAD", cwd=place, env=env)


def test_an_untouched_worktree_and_one_that_was_removed_are_no_work(world: World) -> None:
    added(world, "wt", "-b", "one")
    gone = added(world, "gone", "-b", "two")
    gone.rename(gone.with_name("elsewhere"))
    assert world.state().linked == ()
    assert world.delete() == ()


def test_what_is_uncommitted_is_counted_and_kept_as_a_commit(world: World) -> None:
    """Seen to fail without `linked.look`: status said 0, and delete removed the files with the agent's home."""
    place = added(world, "wt", "-b", "feature")
    tip = commit(world, place, "new.txt")
    (place / "new.txt").write_text("edited\n")
    (place / "untracked.txt").write_text("untracked\n")
    state = world.state()
    assert [(tree.path, tree.uncommitted, tree.unseen) for tree in state.linked] == [
        ("/clauderon/home/wt", 2, "")
    ]
    assert state.dirty == 2
    world.delete()
    kept = world.refs("refs/clauderon/rescue")
    assert set(kept) == {f"{RESCUE}+heads/feature", f"{RESCUE}+worktrees/wt"}
    found = kept[f"{RESCUE}+worktrees/wt"]
    assert world.host("rev-parse", f"{found}^") == tip == kept[f"{RESCUE}+heads/feature"]
    assert world.show(found, "new.txt") == "edited"
    assert world.show(found, "untracked.txt") == "untracked"
    world.host("fsck", "--strict")
    kinds = {found.name: found.kind for found in rescued_refs(Path(world.session.git_dir), world.environ)}
    assert kinds == {"fix+heads/feature": "branch", "fix+worktrees/wt": "worktree"}


def test_a_detached_one_is_kept_whole_by_one_commit(world: World) -> None:
    place = added(world, "wt", "--detach")
    tip = commit(world, place, "new.txt")
    (place / "new.txt").write_text("edited\n")
    world.delete()
    kept = world.refs("refs/clauderon/rescue")
    assert set(kept) == {f"{RESCUE}+worktrees/wt"}
    assert world.host("rev-parse", f"{kept[f'{RESCUE}+worktrees/wt']}^") == tip


def test_a_path_that_git_wrote_relative_is_found(world: World) -> None:
    place = added(world, "wt", "-b", "feature")
    (world.private / "worktrees/wt/gitdir").write_text("../../../home/wt/.git\n")
    (place / "new.txt").write_text("x\n")
    assert [tree.uncommitted for tree in world.state().linked] == [1]


def test_one_that_only_the_container_can_see_is_said(world: World) -> None:
    added(world, "wt", "-b", "feature")
    (world.private / "worktrees/wt/gitdir").write_text("/tmp/wt/.git\n")
    assert [(tree.path, tree.unseen) for tree in world.state().linked] == [
        ("/tmp/wt", "it lies where only the container can see it")
    ]


@pytest.mark.parametrize("what", ["directory", "parent", "file"])
def test_a_link_leads_nowhere(world: World, tmp_path: Path, what: str) -> None:
    """The directories are entered one by one, by descriptors (`opened`), and links are linked as what they are."""
    place = added(world, "wt", "-b", "feature")
    secret = tmp_path / "own" / "wt"
    secret.mkdir(parents=True)
    (secret / "secret.txt").write_text(SECRET)
    if what == "file":
        (place / "secret.txt").symlink_to(secret / "secret.txt")
    else:
        place.rename(tmp_path / "aside")
        target = place if what == "directory" else home_of(world) / "deep"
        target.symlink_to(secret if what == "directory" else secret.parent)
        if what == "parent":
            (world.private / "worktrees/wt/gitdir").write_text("/clauderon/home/deep/wt/.git\n")
    world.state()
    world.delete()
    objects = world.host("cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split()
    assert all(SECRET.strip() not in call("git", "cat-file", "-p", oid, cwd=world.repo) for oid in objects)


@pytest.mark.parametrize(
    "written",
    [
        "/clauderon/home/../git/.git\n",
        "/clauderon/home/../../../etc/.git\n",
        "/clauderon/home/.git\n",
        "/clauderon/home//wt/.git",
        "\n",
        "x" * 9000,
        "/clauderon/home/a\x1b[2Jb/.git\n",
        "/clauderon/home/" + "d/" * 1000 + ".git\n",
    ],
)
def test_whatever_is_written_in_an_entry_is_only_looked_up_below_the_home(world: World, written: str) -> None:
    added(world, "wt", "-b", "feature")
    (world.private / "worktrees/wt/gitdir").write_text(written)
    for tree in world.state().linked:
        assert "\x1b" not in tree.path
        assert tree.unseen
    world.delete()
    assert not world.private.exists()


@pytest.mark.parametrize("where", ["gitdir", "HEAD"])
def test_what_is_no_file_is_not_waited_for(world: World, where: str) -> None:
    place = added(world, "wt", "-b", "feature")
    (place / "new.txt").write_text("x\n")
    (world.private / "worktrees/wt" / where).unlink()
    os.mkfifo(world.private / "worktrees/wt" / where)
    said = [tree.unseen for tree in world.state().linked]
    assert said == ([] if where == "gitdir" else ["its branch has no commit yet"])
    world.delete()
