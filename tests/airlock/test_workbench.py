"""git in the user's repository while a session's work is looked at: it sees the copies, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from clauderon.airlock.workbench import Workbench
from tests.airlock.world import World, call


@pytest.fixture
def work(world: World) -> str:
    """A commit of the agent's that was synced, and so copied."""
    oid = world.commit()
    world.sync()
    return oid


def bench(world: World) -> Workbench:
    return Workbench(world.side, Path(world.session.git_dir), world.session, world.environ)


def objects(world: World) -> set[Path]:
    return {path for path in (world.repo / ".git/objects").rglob("*") if path.is_file()}


def test_a_commit_is_made_beside_the_repository_and_not_in_it(world: World, work: str) -> None:
    before = objects(world)
    made = bench(world).commit_tree(bench(world).tree(work), [work], "kept")
    assert bench(world).tree(made) == bench(world).tree(work)
    assert objects(world) == before
    assert call("git", "rev-parse", "--verify", "--quiet", f"{work}^{{tree}}", cwd=world.repo)


def test_the_maker_of_such_a_commit_is_nobody_whoever_runs_us(world: World, work: str) -> None:
    made = bench(world).commit_tree(bench(world).tree(work), [work], "kept \udcff")
    text = bench(world).call("cat-file", "commit", made).text
    assert "author clauderon" in text and "committer clauderon" in text


@pytest.mark.parametrize("commit", [None, "0" * 40, "refs/heads/no", ""])
def test_what_is_no_commit_has_no_tree(world: World, commit: str | None) -> None:
    """git prints what it was asked for where it finds nothing; that was seen to be taken for a tree."""
    assert bench(world).tree(commit) == ""


def test_ancestors(world: World, work: str) -> None:
    base = world.session.base
    assert bench(world).is_ancestor(base, work) and bench(world).is_ancestor(work, work)
    assert not bench(world).is_ancestor(work, base)


def test_commits_that_only_the_session_has_are_alone(world: World, work: str) -> None:
    lost: list[str] = []
    world.host("branch", "mine", world.session.base)
    assert bench(world).alone([work, world.session.base], lost) == {work}
    world.host("branch", "taken", work)
    assert bench(world).alone([work], lost) == set()
    assert bench(world).alone([], lost) == set() and lost == []


def test_a_history_with_a_hole_costs_its_own_tip_alone(world: World, work: str) -> None:
    tree = bench(world).tree(work)
    text = f"tree {tree}\nparent {'1' * 40}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nx\n"
    hole = (
        bench(world)
        .call("hash-object", "-t", "commit", "-w", "--stdin", "--literally", stdin=text.encode())
        .text.strip()
    )
    lost: list[str] = []
    assert bench(world).alone([hole, work], lost) == {work}
    assert lost == [f"inside, the history of {hole} is incomplete"]


def test_the_same_work_at_another_time_is_the_same_and_another_message_is_not(
    world: World, work: str
) -> None:
    tree, parent = bench(world).tree(work), world.session.base

    def made(message: str, when: str) -> str:
        env = {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
        return call("git", "commit-tree", tree, "-p", parent, "-m", message, cwd=world.repo, env=env)

    one, later, other = made("x", "@1 +0000"), made("x", "@9 +0000"), made("y", "@1 +0000")
    assert bench(world).same(one, later)
    assert not bench(world).same(one, other)
    assert not bench(world).same("0" * 40, "0" * 40)


def test_only_commits_that_are_there_exist_in_the_order_they_were_asked_for(world: World, work: str) -> None:
    tree = bench(world).tree(work)
    asked = [work, "0" * 40, tree, world.session.base, work]
    assert list(bench(world).existing(asked)) == [work, world.session.base]
    assert dict(bench(world).kinds([tree, work])) == {tree: "tree", work: "commit"}


def test_every_copied_commit_is_found_whether_or_not_a_ref_names_it(world: World) -> None:
    first = world.commit()
    world.inside("commit", "--quiet", "--amend", "--message", "Again")
    second = world.inside("rev-parse", "HEAD")
    world.sync()
    found = bench(world).copied_commits()
    assert second in found and found == sorted(found)
    assert set(found) <= {first, second}


def test_a_commit_that_only_a_rescue_holds_is_named_by_it(world: World, work: str) -> None:
    assert bench(world).rescued(work) == []
    world.host("update-ref", "-d", world.branch)
    world.host("update-ref", "refs/clauderon/rescue/fix/HEAD", work)
    assert bench(world).rescued(work) == ["refs/clauderon/rescue/fix/HEAD"]
    world.host("branch", "taken", work)
    assert bench(world).rescued(work) == []


def test_what_a_commit_needs_and_what_another_has_already(world: World, work: str) -> None:
    new = bench(world).objects([work, f"^{world.session.base}"])
    assert work in new and bench(world).tree(work) in new and world.session.base not in new
