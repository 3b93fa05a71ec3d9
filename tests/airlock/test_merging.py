"""Into the user's checkout: cleanly or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from clauderon.errors import BackendError, CommandFailed, Conflict, Refused, UsageError
from tests.airlock.checkouts import unchanged
from tests.airlock.world import World, call


def test_a_clean_checkout_is_moved_forward(world: World) -> None:
    commit = world.commit()
    world.sync()
    result = world.merge()
    assert (result.into, result.commit, result.changed) == ("main", commit, True)
    assert (world.repo / "new.txt").read_text() == "text\n"
    assert world.host("status", "--porcelain") == ""


def test_merging_twice_changes_nothing(world: World) -> None:
    world.commit()
    world.sync()
    world.merge()
    assert world.merge().changed is False


def test_two_histories_become_one_with_gits_own_words(world: World) -> None:
    world.commit()
    world.sync()
    world.host("switch", "--quiet", "-c", "develop")
    world.host("commit", "--quiet", "--allow-empty", "-m", "Meanwhile")
    assert world.merge().into == "develop"
    assert world.host("log", "-1", "--format=%s") == "Merge branch 'clauderon/fix' into develop"
    assert world.host("rev-list", "--count", "--merges", "HEAD") == "1"


def test_a_message_is_taken_as_it_is(world: World) -> None:
    world.commit()
    world.sync()
    world.host("commit", "--quiet", "--allow-empty", "-m", "Meanwhile")
    world.merge(message="--not-an-option $(reboot)\n\nBody")
    assert world.host("log", "-1", "--format=%B").strip() == "--not-an-option $(reboot)\n\nBody"


@pytest.mark.parametrize("message", [None, "All of it"])
def test_squashing_makes_one_commit(world: World, message: str | None) -> None:
    world.commit("one.txt", message="First")
    world.commit("two.txt", message="Second")
    world.sync()
    before = world.host("rev-parse", "HEAD")
    assert world.merge(squash=True, message=message).changed
    assert world.host("rev-parse", "HEAD^@") == before
    body = world.host("log", "-1", "--format=%B")
    assert body.strip() == message if message else "First" in body
    assert (world.repo / "two.txt").exists()


@pytest.mark.parametrize("how", ["changed", "staged", "untracked"])
def test_local_changes_in_the_way_are_kept(world: World, how: str) -> None:
    world.commit("README.md" if how != "untracked" else "new.txt", "theirs\n")
    world.sync()
    path = world.repo / ("README.md" if how != "untracked" else "new.txt")
    path.write_text("mine\n")
    if how == "staged":
        world.host("add", "README.md")
    before = unchanged(world)
    with pytest.raises(Conflict, match="in the way"):
        world.merge()
    assert unchanged(world) == before
    assert path.read_text() == "mine\n"


def test_local_changes_elsewhere_are_no_hindrance(world: World) -> None:
    world.commit()
    world.sync()
    (world.repo / "README.md").write_text("mine\n")
    assert world.merge().changed
    assert (world.repo / "README.md").read_text() == "mine\n"


def test_a_merge_under_way_is_not_disturbed(world: World) -> None:
    world.commit()
    world.sync()
    world.host("switch", "--quiet", "-c", "side")
    world.host("commit", "--quiet", "--allow-empty", "-m", "Side")
    world.host("switch", "--quiet", "main")
    world.host("merge", "--quiet", "--no-ff", "--no-commit", "side")
    with pytest.raises(Conflict, match="a merge is under way"):
        world.merge()
    assert (world.repo / ".git/MERGE_HEAD").exists()


def test_without_a_branch_or_a_checkout_it_says_why(world: World) -> None:
    world.host("update-ref", "-d", world.branch)
    with pytest.raises(BackendError, match="there is no branch"):
        world.merge()
    world.host("checkout", "--quiet", "--detach")
    with pytest.raises(UsageError, match="detached"):
        world.merge()
    shutil.rmtree(world.repo)
    with pytest.raises(BackendError, match="no longer at"):
        world.merge()


def test_only_a_fast_forward_on_request(world: World) -> None:
    world.commit()
    world.sync()
    world.host("commit", "--quiet", "--allow-empty", "-m", "Meanwhile")
    with pytest.raises(Conflict, match="fast-forward"):
        world.merge(ff_only=True)


def test_hooks_that_the_branch_brings_along_do_not_run(world: World, tmp_path: Path) -> None:
    """As with husky: core.hooksPath names a directory of the tree."""
    canary = tmp_path / "canary"
    world.host("config", "core.hooksPath", ".husky")
    for name in ("post-merge", "post-checkout", "pre-merge-commit", "post-index-change", "commit-msg"):
        hook = world.write(f".husky/{name}", f"#!/bin/sh\n: > '{canary}'\n")
        hook.chmod(0o755)
    world.inside("add", "--all")
    world.inside("commit", "--quiet", "--message", "Hooks")
    world.sync()
    world.host("-c", "core.hooksPath=/dev/null", "commit", "--quiet", "--allow-empty", "-m", "Meanwhile")
    world.merge()
    assert (world.repo / ".husky/post-merge").exists()
    assert not canary.exists()


def test_a_merge_git_cannot_commit_is_taken_back(world: World) -> None:
    world.commit()
    world.sync()
    world.host("commit", "--quiet", "--allow-empty", "-m", "Meanwhile")
    world.host("config", "commit.gpgSign", "true")
    world.host("config", "gpg.program", "/bin/false")
    before = unchanged(world)
    for squash in (False, True):
        with pytest.raises(CommandFailed):
            world.merge(squash=squash)
        assert unchanged(world) == before


def test_nothing_of_the_callers_environment_redirects_the_merge(world: World, tmp_path: Path) -> None:
    world.commit()
    world.sync()
    call("git", "init", "--quiet", str(tmp_path / "decoy"), cwd=tmp_path)
    world.environ = {**os.environ, "GIT_DIR": str(tmp_path / "decoy/.git"), "GIT_WORK_TREE": "/"}
    assert world.merge().changed


def test_a_branch_that_sends_git_lfs_elsewhere_is_refused(world: World) -> None:
    world.commit(".lfsconfig", "[lfs]\n\turl = https://attacker.example.test/\n")
    world.sync()
    world.host("config", "filter.lfs.smudge", "git-lfs smudge -- %f")
    before = unchanged(world)
    with pytest.raises(Refused, match=r"changes \.lfsconfig"):
        world.merge()
    assert unchanged(world) == before
    world.host("config", "--remove-section", "filter.lfs")
    assert world.merge().changed
