"""Before a session goes: nothing that only it holds is lost."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from clauderon.airlock.layout import own_ref
from clauderon.paths import Home
from tests.airlock.world import World, becoming, make_repo, open_session

RESCUE = "refs/clauderon/rescue/fix"


def test_an_untouched_session_leaves_nothing(world: World) -> None:
    assert world.delete() == ()
    assert world.refs() == {}


def test_a_merged_session_leaves_nothing(world: World) -> None:
    world.commit()
    world.sync()
    world.host("merge", "--quiet", world.session.branch)
    assert world.delete() == ()


def test_a_branch_pushed_to_a_remote_leaves_nothing(world: World) -> None:
    commit = world.commit()
    world.sync()
    world.host("update-ref", "refs/remotes/origin/fix", commit)
    assert world.delete() == ()


def test_uncommitted_work_is_kept_with_modes_links_and_deletions(world: World) -> None:
    world.write("new.txt", "untracked\n")
    script = world.write("deep/down/run.sh", "#!/bin/sh\n")
    script.chmod(0o755)
    (world.worktree / "link").symlink_to("new.txt")
    world.write("README.md", "changed\n")
    (world.worktree / "src/hello.txt").unlink()
    assert world.delete() == (RESCUE,)
    listed = world.host("ls-tree", "-r", "--format=%(objectmode) %(path)", RESCUE).splitlines()
    assert listed == ["100644 README.md", "100755 deep/down/run.sh", "120000 link", "100644 new.txt"]
    assert world.show(RESCUE, "README.md") == "changed"
    assert world.show(RESCUE, "link") == "new.txt"
    assert world.host("rev-parse", f"{RESCUE}^") == world.session.base
    assert world.host("log", "-1", "--format=%an %s", RESCUE) == "clauderon Uncommitted work of session fix"
    world.host("fsck", "--strict")


def test_staged_and_unstaged_changes_end_as_the_worktree_has_them(world: World) -> None:
    world.write("README.md", "staged\n")
    world.inside("add", "README.md")
    world.write("README.md", "unstaged\n")
    (ref,) = world.delete()
    assert world.show(ref, "README.md") == "unstaged"


def test_unmerged_commits_are_kept_by_one_ref(world: World) -> None:
    world.commit("one.txt")
    commit = world.commit("two.txt")
    assert world.delete() == (RESCUE,)
    assert world.refs() == {RESCUE: commit}
    assert world.refs("refs/heads").keys() == {"refs/heads/main"}


def test_commits_that_were_never_synced_are_kept(world: World) -> None:
    commit = world.commit()
    assert world.rescue() == (RESCUE,)
    assert world.refs()[RESCUE] == commit


def test_uncommitted_work_on_unmerged_commits_is_one_history(world: World) -> None:
    commit = world.commit()
    world.write("more.txt")
    assert world.delete() == (RESCUE,)
    assert world.host("rev-parse", f"{RESCUE}^@") == commit


def test_other_branches_tags_stashes_and_a_detached_head_are_kept(world: World) -> None:
    world.inside("checkout", "--quiet", "-b", "feature/a")
    feature = world.commit("feature.txt")
    world.inside("tag", "-a", "-m", "x", "v1")
    world.inside("checkout", "--quiet", "--detach", world.session.base)
    tagged = world.commit("tagged.txt")
    world.inside("tag", "light")
    stashes = []
    for number in range(3):
        world.write("README.md", f"stash {number}\n")
        world.inside("stash", "--quiet")
        stashes.append(world.inside("rev-parse", "stash@{0}"))
    detached = world.commit("detached.txt")
    refs = world.delete()
    kept = world.refs()
    assert set(refs) == set(kept)
    assert kept[f"{RESCUE}+heads/feature/a"] == feature
    assert kept[f"{RESCUE}+tags/light"] == tagged
    assert kept[f"{RESCUE}+HEAD"] == detached
    assert [kept[f"{RESCUE}+stash/{number}"] for number in range(3)] == stashes[::-1]
    assert world.host("cat-file", "-t", f"{RESCUE}+tags/v1") == "tag"


def test_what_was_fetched_inside_is_not_taken_for_work(world: World) -> None:
    commit = world.commit()
    world.sync()
    world.host("merge", "--quiet", world.session.branch)
    world.inside(
        "update-ref", "refs/remotes/origin/x", world.inside("commit-tree", f"{commit}^{{tree}}", "-m", "far")
    )
    assert world.delete() == ()


def test_work_on_another_branch_is_kept_as_it_stands_there(world: World) -> None:
    world.commit("on-session-branch.txt")
    world.inside("checkout", "--quiet", "-b", "other", world.session.base)
    other = world.commit("on-other.txt")
    world.write("dirty.txt")
    refs = world.delete()
    assert world.show(refs[0], "dirty.txt") == "text"
    reachable = world.host("rev-list", *refs).split()
    assert other in reachable
    names = world.host("ls-tree", "-r", "--name-only", refs[0]).splitlines()
    assert names == ["README.md", "dirty.txt", "on-other.txt", "src/hello.txt"]
    assert "on-session-branch.txt" in world.host("log", "--format=", "--name-only", *refs)


def test_both_sides_of_a_divergence_are_kept(world: World) -> None:
    inside = world.commit("inside.txt")
    world.host("commit", "--quiet", "--allow-empty", "--message", "By hand", cwd=world.worktree)
    host = world.tip()
    assert world.sync().outcome == "diverged"
    refs = world.delete()
    reachable = world.host("rev-list", *refs).split()
    assert {inside, host} <= set(reachable)


def test_commits_that_a_reset_dropped_are_kept(world: World) -> None:
    commit = world.commit()
    world.sync()
    world.inside("reset", "--quiet", "--hard", "HEAD~")
    world.sync()
    assert world.tip() == world.session.base
    assert world.delete() == (f"{RESCUE}+was/1",)
    assert world.refs()[f"{RESCUE}+was/1"] == commit


def test_commits_that_an_amend_replaced_are_let_go(world: World) -> None:
    world.commit()
    world.sync()
    world.inside("commit", "--quiet", "--amend", "--message", "Better")
    amended = world.inside("rev-parse", "HEAD")
    assert world.delete() == (RESCUE,)
    assert world.refs() == {RESCUE: amended}


def test_a_rescue_done_again_makes_nothing_new(world: World) -> None:
    world.commit()
    world.write("dirty.txt")
    first = world.rescue()
    refs = world.refs()
    assert world.rescue()[:1] == first[:1]
    assert world.refs() == refs


def test_another_sessions_pins_are_no_safe_place(repo: Path, home: Home) -> None:
    """A session made from another's branch does not keep that one's commits once it goes as well."""
    one = open_session(repo, home, name="one", session_id="1" * 12)
    commit = one.commit()
    one.sync()
    two = open_session(repo, home, name="two", session_id="2" * 12, base=one.session.branch)
    one.delete()
    two.delete()
    assert commit in two.host("rev-list", "--all").split()


def test_a_damaged_history_is_moved_aside_and_the_rest_is_kept(world: World) -> None:
    commit = world.commit()
    world.inside("branch", "good")
    (world.private / "refs/heads/bad").write_text("ab" * 20 + "\n")
    world.write("dirty.txt")
    ref, directory = world.rescue()
    world.close()
    assert world.show(ref, "dirty.txt") == "text"
    assert commit in world.host("rev-list", ref).split()
    assert (Path(directory) / "inside/refs/heads/bad").exists()
    assert "ab" * 20 in (Path(directory) / "reasons").read_text()
    assert not world.private.exists()


def test_a_branch_that_cannot_be_carried_does_not_cost_the_worktree(world: World) -> None:
    commit = world.commit()
    for file in (world.private / "objects").glob("??/*"):
        if commit.endswith(file.name):
            file.unlink()
    world.write("dirty.txt", "precious\n")
    *_refs, directory = world.rescue()
    world.close()
    assert (Path(directory) / "worktree/dirty.txt").read_text() == "precious\n"


def test_the_repository_gone_moves_everything_aside(world: World) -> None:
    world.commit()
    world.write("dirty.txt", "precious\n")
    world.repo.rename(world.repo.with_name("moved"))
    (directory,) = world.rescue()
    assert world.close() is False
    assert (Path(directory) / "worktree/dirty.txt").read_text() == "precious\n"
    assert (Path(directory) / "inside/HEAD").exists()
    assert not world.worktree.exists()
    assert not world.private.exists()


def test_a_nested_repository_keeps_its_files_and_its_history(world: World) -> None:
    nested = world.worktree / "tool"
    nested.mkdir()
    world.host("init", "--quiet", cwd=nested)
    (nested / "main.c").write_text("int main;\n")
    world.host("add", "main.c", cwd=nested)
    world.host("commit", "--quiet", "--message", "In a nest", cwd=nested)
    (ref,) = world.delete()
    assert world.show(ref, "tool/main.c") == "int main;"
    assert world.show(ref, "tool/.git.rescued/HEAD.rescued").startswith("ref: refs/heads/")


def test_a_diff_in_between_does_not_disturb_a_rescue(world: World) -> None:
    world.write("dirty.txt", "one\n")
    world.diff()
    world.write("dirty.txt", "two\n")
    (ref,) = world.rescue()
    world.diff()
    assert world.show(ref, "dirty.txt") == "two"
    assert own_ref("fix", "base") in world.refs()


def test_a_session_without_any_directory_has_nothing_to_rescue(world: World) -> None:
    world.close()
    assert world.rescue() == ()


@contextlib.contextmanager
def as_nobody_special() -> Iterator[Path]:
    """A directory of a user who is not root: root opens everything anyway."""
    with tempfile.TemporaryDirectory() as place:
        if os.geteuid():
            yield Path(place)
        else:
            os.chown(place, 1000, 1000)
            with becoming((1000, 1000)):
                yield Path(place)


def test_files_and_directories_closed_to_us_are_rescued() -> None:
    with as_nobody_special() as place:
        home = Home(place / "home")
        home.create()
        world = open_session(make_repo(place / "repo"), home)
        closed = world.write("closed/file.txt", "precious\n")
        alone = world.write("alone.txt", "precious\n")
        for path in (closed, alone, closed.parent):
            path.chmod(0)
        assert world.state().untracked == 1
        (ref,) = world.delete()
        assert world.show(ref, "closed/file.txt") == "precious"
        assert world.show(ref, "alone.txt") == "precious"
        assert not world.worktree.exists()


@pytest.mark.parametrize("what", ["", "objects", "refs", "refs/heads/clauderon/fix", "HEAD", "objects/*/*"])
def test_a_private_directory_closed_to_us_is_rescued(what: str) -> None:
    with as_nobody_special() as place:
        home = Home(place / "home")
        home.create()
        world = open_session(make_repo(place / "repo"), home)
        commit = world.commit()
        for path in world.private.glob(what) if what else [world.private]:
            path.chmod(0)
        assert world.delete() == (RESCUE,)
        assert world.refs()[RESCUE] == commit
        assert not world.private.exists()


def test_what_stands_in_the_place_things_are_moved_to_stays(world: World) -> None:
    (world.private / "refs/heads/bad").write_text("ab" * 20 + "\n")
    (directory,) = world.rescue()
    for name in ("worktree", "git", "inside"):
        (Path(directory) / name).mkdir(parents=True)
    world.close()
    assert sorted(path.name for path in Path(directory).iterdir()) == [
        "git",
        "git-2",
        "inside",
        "inside-2",
        "reasons",
        "session.json",
        "worktree",
        "worktree-2",
    ]
