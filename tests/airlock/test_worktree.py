"""The worktree and the private directory right after `create`: what is there, what is refused."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from clauderon import airlock, git
from clauderon.airlock import worktree
from clauderon.errors import BackendError, ClauderonError, CommandFailed, Conflict, UsageError
from clauderon.paths import Home
from clauderon.proc import Completed
from tests.airlock.world import World, call, make_repo, open_session, session_for

ODD = [
    "sp ace",
    "co:lon",
    "com,ma",
    "qu'o\"te",
    "ünï",
    "$(reboot)",
    "-dash",
    "back\\slash",
    "tab\tbed",
    "#hash",
    "~",
]


def entries(world: World) -> str:
    return world.host("worktree", "list", "--porcelain")


def test_the_worktree_is_listed_locked_with_a_reason(world: World) -> None:
    assert f"worktree {world.worktree}" in entries(world)
    assert "locked clauderon session fix: clauderon delete fix removes it" in entries(world)


def test_the_branch_has_no_upstream_and_the_configuration_is_untouched(repo: Path, home: Home) -> None:
    call("git", "config", "branch.autoSetupMerge", "always", cwd=repo)
    before = (repo / ".git/config").read_bytes()
    open_session(repo, home, base="main")
    assert (repo / ".git/config").read_bytes() == before


def test_the_base_commit_is_pinned(world: World) -> None:
    assert world.refs() == {"refs/clauderon/fix/base": world.session.base}


@pytest.mark.parametrize("place", ["repository", "home"])
@pytest.mark.parametrize("name", ODD)
def test_odd_paths_work_to_the_end(tmp_path: Path, name: str, place: str) -> None:
    repo = make_repo(tmp_path / (name if place == "repository" else "repo"))
    home = Home(tmp_path / (name if place == "home" else "home"))
    home.create()
    world = open_session(repo, home)
    world.commit("one.txt")
    world.inside("gc", "--quiet")
    commit = world.commit("two.txt")
    assert world.sync().new == commit
    world.write("dirty.txt")
    assert world.state().dirty == 1
    assert "dirty.txt" in world.diff(name_only=True)
    assert world.host("status", "--porcelain", cwd=world.worktree) == "?? dirty.txt"
    assert world.merge().changed
    assert world.delete() == ("refs/clauderon/rescue/fix",)
    assert world.host("worktree", "list").count("\n") == 0


@pytest.mark.parametrize("place", ["repository", "home"])
def test_a_newline_in_a_path_is_refused_before_anything_exists(tmp_path: Path, place: str) -> None:
    repo = make_repo(tmp_path / ("new\nline" if place == "repository" else "repo"))
    home = Home(tmp_path / ("new\nline" if place == "home" else "home"))
    home.create()
    before = call("git", "for-each-ref", cwd=repo)
    with pytest.raises(UsageError, match="newline") as caught:
        open_session(repo, home)
    assert "\n" not in str(caught.value)
    assert call("git", "for-each-ref", cwd=repo) == before
    assert not (repo / ".git/worktrees").exists()


def test_a_branch_that_exists_is_a_conflict_and_stays(repo: Path, home: Home) -> None:
    call("git", "branch", "clauderon/fix", cwd=repo)
    before = call("git", "for-each-ref", cwd=repo)
    repository = git.repository_read(repo, dict(os.environ))
    with pytest.raises(Conflict, match="it exists already"):
        airlock.open_worktree(
            repository, home.worktree("fix"), branch="clauderon/fix", base=repository.base_commit
        )
    assert call("git", "for-each-ref", cwd=repo) == before
    assert not home.worktree("fix").exists()


def test_a_branch_that_stands_in_the_way_is_a_conflict(repo: Path, home: Home) -> None:
    call("git", "branch", "clauderon", cwd=repo)
    repository = git.repository_read(repo, dict(os.environ))
    with pytest.raises(Conflict, match="is in the way"):
        airlock.open_worktree(
            repository, home.worktree("fix"), branch="clauderon/fix", base=repository.base_commit
        )
    with pytest.raises(Conflict, match="a branch named clauderon is in the way"):
        git.repository_read(repo, dict(os.environ), branch="clauderon/fix")


@pytest.mark.parametrize("taken", ["clauderon", "clauderon/fix", "clauderon/fix/deep", "clauderon/fix/a/b"])
def test_the_hint_renames_the_branch_that_is_there(repo: Path, home: Home, taken: str) -> None:
    """Seen to fail for what is below the wanted name: the hint named the wanted one, which did not exist."""
    call("git", "branch", taken, cwd=repo)
    repository = git.repository_read(repo, dict(os.environ))

    def opened() -> None:
        airlock.open_worktree(
            repository, home.worktree("fix"), branch="clauderon/fix", base=repository.base_commit
        )

    with pytest.raises(Conflict) as caught:
        opened()
    hint = shlex.split((caught.value.hint or "").partition("  #")[0])
    call(*hint, cwd=home.root)
    opened()


def test_something_at_the_worktrees_place_is_a_conflict_and_stays(repo: Path, home: Home) -> None:
    home.worktree("fix").mkdir()
    (home.worktree("fix") / "precious").write_text("x")
    with pytest.raises(Conflict, match="exists there already"):
        open_session(repo, home)
    assert (home.worktree("fix") / "precious").exists()
    assert call("git", "branch", "--list", "clauderon/*", cwd=repo) == ""


def test_a_link_at_the_worktrees_place_is_not_followed(repo: Path, home: Home, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    home.worktree("fix").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Conflict):
        open_session(repo, home)


def test_a_checkout_that_fails_leaves_no_branch_and_no_pin(repo: Path, home: Home) -> None:
    """A full disk, a read-only one: whatever keeps git from filling the worktree."""
    home.worktrees.rmdir()
    home.worktrees.write_text("a file where the worktrees belong")
    before = call("git", "for-each-ref", cwd=repo)
    with pytest.raises(CommandFailed):
        open_session(repo, home)
    assert call("git", "for-each-ref", cwd=repo) == before
    assert call("git", "worktree", "list", cwd=repo).count("\n") == 0


def test_a_disk_that_fills_up_during_the_checkout_is_a_reason(
    repo: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git names each file that it could not write, and not why. Seen to fail as "git: exit status 128"."""

    def filled(opening: worktree.Opening, *_: object) -> Completed:
        return Completed(
            ("git",), 128, b"", b"error: unable to write file a\nfatal: Could not reset index file\n"
        )

    monkeypatch.setattr(worktree.Opening, "_again", filled)
    with pytest.raises(BackendError) as failed:
        open_session(repo, home)
    assert failed.value.why == "git could not write its files; the disk may be full"
    assert failed.value.hint == f"df -h '{home.worktrees}'; df -i '{home.worktrees}'"


def test_a_name_another_home_uses_on_the_repository_is_a_conflict(repo: Path, tmp_path: Path) -> None:
    homes = [Home(tmp_path / name) for name in ("one", "two")]
    for home in homes:
        home.create()
    first = open_session(repo, homes[0])
    with pytest.raises(Conflict, match="another clauderon home"):
        open_session(repo, homes[1], branch="other/branch")
    assert set(first.refs("refs")) == {"refs/heads/main", first.branch, "refs/clauderon/fix/base"}
    assert first.host("worktree", "list").count("\n") == 1
    commit = first.commit()
    assert first.sync().new == commit


def test_a_pin_left_by_a_killed_create_is_taken_over(repo: Path, home: Home) -> None:
    call("git", "commit", "--quiet", "--allow-empty", "-m", "x", cwd=repo)
    call("git", "update-ref", "refs/clauderon/fix/base", "HEAD~", cwd=repo)
    world = open_session(repo, home)
    assert world.refs() == {"refs/clauderon/fix/base": world.session.base}


def test_an_entry_left_by_a_killed_removal_is_taken_over(repo: Path, home: Home) -> None:
    first = open_session(repo, home)
    shutil.rmtree(first.worktree)
    call("git", "update-ref", "-d", first.branch, cwd=repo)
    second = open_session(repo, home)
    assert second.host("status", "--porcelain", cwd=second.worktree) == ""


def test_twenty_at_once_on_one_repository_all_succeed(repo: Path, home: Home) -> None:
    failures: list[BaseException] = []

    def one(number: int) -> None:
        try:
            world = open_session(repo, home, name=f"s{number}", session_id=f"{number:012x}")
            commit = world.commit(f"{number}.txt")
            assert world.sync().new == commit
            world.delete()
        except (ClauderonError, AssertionError, OSError) as error:
            failures.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert call("git", "worktree", "list", cwd=repo).count("\n") == 0
    rescued = call("git", "for-each-ref", "--format=%(refname)", "refs/clauderon", cwd=repo).splitlines()
    assert rescued == sorted(f"refs/clauderon/rescue/s{number}" for number in range(20))
    assert "claude.json" not in (repo / ".git/info/exclude").read_text()


def test_an_entry_another_command_is_just_writing_is_waited_for(repo: Path, home: Home) -> None:
    open_session(repo, home, name="other", session_id="0" * 12)
    commondir = repo / ".git/worktrees/other/commondir"
    content = commondir.read_bytes()
    commondir.write_bytes(b"")
    threading.Timer(0.3, commondir.write_bytes, [content]).start()
    world = open_session(repo, home)
    assert world.host("status", "--porcelain", cwd=world.worktree) == ""


def test_the_users_hooks_and_monitors_do_not_run(repo: Path, home: Home, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    for name in ("post-checkout", "reference-transaction", "post-index-change"):
        hook = repo / ".git/hooks" / name
        hook.write_text(f"#!/bin/sh\n: > '{canary}'\n")
        hook.chmod(0o755)
    call("git", "config", "core.fsmonitor", f"touch {canary}; false", cwd=repo)
    canary.unlink(missing_ok=True)
    world = open_session(repo, home)
    world.commit()
    world.everything()
    assert not canary.exists()


def test_git_variables_of_the_caller_do_not_redirect_anything(repo: Path, home: Home, tmp_path: Path) -> None:
    decoy = make_repo(tmp_path / "decoy")
    environ = {
        **os.environ,
        "GIT_DIR": str(decoy / ".git"),
        "GIT_WORK_TREE": str(decoy),
        "GIT_INDEX_FILE": str(tmp_path / "index"),
        "GIT_OBJECT_DIRECTORY": str(decoy / ".git/objects"),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.hooksPath",
        "GIT_CONFIG_VALUE_0": str(tmp_path),
        "GIT_CEILING_DIRECTORIES": "/",
        "GIT_TRACE": str(tmp_path / "trace"),
    }
    world = open_session(repo, home, environ=environ)
    commit = world.commit()
    assert world.sync().new == commit
    world.write("dirty.txt")
    world.state()
    world.delete()
    assert call("git", "for-each-ref", "--format=%(refname)", cwd=decoy) == "refs/heads/main"
    assert not (tmp_path / "index").exists()
    assert not (tmp_path / "trace").exists()


def test_starting_a_worktree_can_be_stopped(repo: Path, home: Home) -> None:
    repository = git.repository_read(repo, dict(os.environ))
    opening = airlock.start_worktree(
        repository, home.worktree("fix"), branch="clauderon/fix", base=repository.base_commit
    )
    opening.stop()
    session = session_for(repository, "fix", "0" * 12).changed(state="creating", step="worktree")
    world = World(repo, home, session)
    world.close()
    assert not home.worktree("fix").exists()
    assert world.refs("refs").keys() == {"refs/heads/main"}
    assert open_session(repo, home).sync().outcome == "up-to-date"


def test_files_are_the_containers_users_when_we_are_root(repo: Path, home: Home) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    world = open_session(repo, home, owner=(1234, 2345))
    for top in (world.worktree, world.private):
        for path in (top, *top.rglob("*")):
            assert (path.lstat().st_uid, path.lstat().st_gid) == (1234, 2345)
    assert world.host("-c", "safe.directory=*", "status", "--porcelain", cwd=world.worktree) == ""
    assert world.side.gitfile.stat().st_uid == 1234
    # The index knows the new owner: a plain stat tells that nothing changed, without rereading.
    argv = ["git", "-c", "safe.directory=*", "diff-files", "--quiet"]
    assert subprocess.run(argv, cwd=world.worktree, check=False).returncode == 0
