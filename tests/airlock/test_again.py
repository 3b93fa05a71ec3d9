"""A delete that is killed and repeated, and a name that is used again: nothing lost, nothing made up, nothing unsaid."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clauderon import airlock
from clauderon.airlock import closing
from clauderon.airlock.removal import remove_tree
from clauderon.paths import Home
from tests.airlock.world import World, open_session

RESCUE = "refs/clauderon/rescue/fix"


class Killed(BaseException):
    """As a SIGKILL would have it: nothing of ours goes on."""


def killed_while_removing(world: World, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """`close`, ended after that many files of the session are gone."""
    left = after
    real = remove_tree

    def some(top: Path) -> None:
        nonlocal left
        for path in sorted(top.rglob("*")) if top.is_dir() else ():
            if path.is_dir() and not path.is_symlink():
                continue
            if not left:
                raise Killed
            left -= 1
            path.unlink()
        real(top)

    with monkeypatch.context() as patched:
        patched.setattr(closing, "remove_tree", some)
        try:
            world.close()
        except Killed:
            return


@pytest.mark.parametrize("after", [0, 1, 2, 5, 9, 14, 25, 40])
def test_a_delete_killed_while_it_removes_rescues_nothing_half_removed(
    world: World, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Without the mark, the repeat made a rescue commit that deletes the files which were gone already."""
    commit = world.commit("committed.txt")
    world.write("uncommitted.txt", "work\n")
    first = world.rescue()
    held = world.refs(RESCUE)
    killed_while_removing(world, monkeypatch, after)
    again = world.delete()
    if after < 40:
        assert again == first
    assert world.refs("refs/clauderon") == held
    assert world.show(RESCUE, "uncommitted.txt") == "work"
    assert world.host("rev-parse", f"{RESCUE}^") == commit
    assert world.host("diff", "--name-status", f"{commit}..{RESCUE}") == "A\tuncommitted.txt"
    assert not world.worktree.exists()
    assert not world.side.root.exists()


def test_a_delete_of_clean_work_killed_while_it_removes_rescues_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert world.rescue() == ()
    killed_while_removing(world, monkeypatch, 1)
    assert world.delete() == ()
    assert world.refs() == {}


def test_work_after_a_rescue_that_was_not_followed_by_a_removal_is_rescued_too(world: World) -> None:
    """Killed between the two, the session may have been started again."""
    world.write("one.txt")
    first = world.rescue()
    commit = world.commit("two.txt")
    second = world.delete()
    assert second[: len(first)] == first
    assert any(world.host("merge-base", ref, commit) == commit for ref in second)
    assert not any(ref.earlier for ref in second)


def again(world: World, number: int) -> World:
    return open_session(world.repo, world.home, session_id=f"{number:012x}")


@pytest.mark.parametrize("committed", [True, False])
def test_the_same_change_by_a_second_session_is_said_to_be_kept_already(
    world: World, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    """With commits compared by their trees alone, the branch stayed in silence and a third create was refused."""
    refs = []
    for number in range(3):
        one = world if not number else again(world, number)
        if committed:
            one.write("new.txt", "the same\n")
            one.inside("add", "--all")
            date = f"{1700000000 + number} +0000"
            monkeypatch.setenv("GIT_AUTHOR_DATE", date)
            monkeypatch.setenv("GIT_COMMITTER_DATE", date)
            one.inside("commit", "--quiet", "--message", "Work")
        else:
            one.write("new.txt", "the same\n")
        said: list[str] = []
        one.sync()
        kept = one.rescue()
        assert kept == (RESCUE,)
        assert kept[0].earlier is (number > 0)
        assert not airlock.close(one.home, one.session, one.environ, say=said.append)
        assert said == []
        refs.append(world.refs())
        assert world.refs("refs/heads").keys() == {"refs/heads/main"}
    assert refs[0] == refs[1] == refs[2]


def test_the_very_same_commit_is_said_to_be_kept_already(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made at the same second it has the same name: then nothing new is to be kept, which is no reason for silence."""
    monkeypatch.setenv("GIT_AUTHOR_DATE", "1700000000 +0000")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "1700000000 +0000")
    first = world.commit()
    assert [ref.earlier for ref in world.delete()] == [False]
    second = again(world, 1)
    assert second.commit() == first
    (kept,) = second.delete()
    assert (kept, kept.earlier) == (RESCUE, True)
    assert world.refs("refs/heads").keys() == {"refs/heads/main"}


@pytest.mark.parametrize("what", ["message", "author", "order", "base"])
def test_what_differs_in_anything_but_time_is_kept_on_its_own(
    world: World, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    world.commit("one.txt", message="First")
    world.commit("two.txt", message="Second")
    world.delete()
    if what == "base":
        world.host("commit", "--quiet", "--allow-empty", "--message", "Meanwhile")
    other = again(world, 1)
    if what == "author":
        monkeypatch.setenv("GIT_AUTHOR_NAME", "Other")
        # `call` sets its own.
        other.inside("-c", "user.name=x", "commit", "--quiet", "--allow-empty", "-m", "x", "--author=O <o@x>")
    names = ["two.txt", "one.txt"] if what == "order" else ["one.txt", "two.txt"]
    for name, message in zip(names, ["First", "Other" if what == "message" else "Second"], strict=True):
        commit = other.commit(name, message=message)
    assert other.delete() == (f"{RESCUE}+2",)
    assert world.refs()[f"{RESCUE}+2"] == commit


def test_a_set_of_which_some_is_the_same_is_kept_whole(world: World) -> None:
    world.commit("one.txt")
    world.inside("branch", "other", world.inside("commit-tree", "HEAD^{tree}", "-p", "HEAD~", "-m", "a"))
    world.delete()
    second = again(world, 1)
    second.commit("one.txt", message="Other")
    second.inside("branch", "other", second.inside("commit-tree", "HEAD^{tree}", "-p", "HEAD~", "-m", "b"))
    assert second.delete() == (f"{RESCUE}+2", f"{RESCUE}+2+heads/other")
    assert world.refs("refs/heads").keys() == {"refs/heads/main"}


def test_what_a_reset_left_behind_is_said_at_the_end(world: World) -> None:
    """A former tip that an amend replaced goes with the session; git keeps its objects for two weeks."""
    world.write("large.bin", os.urandom(2 << 20).hex())
    world.commit("first.txt")
    world.sync()
    (world.worktree / "large.bin").unlink()
    world.inside("add", "--all")
    world.inside("commit", "--quiet", "--amend", "--message", "Smaller")
    world.sync()
    world.rescue()
    said: list[str] = []
    airlock.close(world.home, world.session, world.environ, say=said.append)
    assert len(said) == 1
    assert said[0].startswith("2 MiB of objects that nothing names any more stay in ")
    assert f"git -C '{world.repo}' gc --prune=now" in said[0]


def test_a_branch_that_stays_is_said_to(world: World, home: Home) -> None:
    world.commit()
    world.sync()
    world.rescue()
    world.host("worktree", "add", "--quiet", "--force", str(home.root / "mine"), world.session.branch)
    said: list[str] = []
    assert airlock.close(world.home, world.session, world.environ, say=said.append)
    assert said == [
        "Kept: branch clauderon/fix, since another worktree has it or nothing else holds its commits"
    ]
