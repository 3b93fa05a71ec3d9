"""git's verbs: each names its directory, is hardened, and answers in the type it promises."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from clauderon.errors import CommandFailed, CommandTimeout, UsageError
from clauderon.git import CheckoutGit, Git, common_dir_at
from clauderon.git.call import hooks_path, lines, parse_refs
from clauderon.git.environment import HARDENED, environment

_ENV = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_GLOBAL": "/dev/null"}


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    made = tmp_path / "repo"
    who = {f"GIT_{role}_{key}": "a" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    for words in (
        ("init", "--quiet", "--initial-branch=main", str(made)),
        ("-C", str(made), "commit", "--quiet", "--allow-empty", "-m", "One"),
        ("-C", str(made), "branch", "old"),
        ("-C", str(made), "commit", "--quiet", "--allow-empty", "-m", "Two"),
    ):
        subprocess.run(["git", *words], env={**environment(_ENV), **who}, check=True)
    return made


@pytest.fixture
def git(repo: Path) -> Git:
    return Git.of(repo / ".git", _ENV)


def test_every_call_names_its_directory_and_is_hardened(tmp_path: Path) -> None:
    argv = Git("/r/.git", {}, tmp_path).argv("status", "--short")
    assert argv[:4] == ["git", "--no-pager", "--git-dir=/r/.git", f"--work-tree={tmp_path}"]
    assert tuple(argv[4:-2]) == HARDENED
    assert argv[-2:] == ["status", "--short"]


@pytest.mark.parametrize("derive", [Git.offline, Git.untrusting, lambda git: git.with_env({"A": "b"})])
def test_what_is_derived_is_hardened_on_the_same_directory(derive: object) -> None:
    git = Git("/r/.git", {"GIT_DIR": "x"}, Path("/w"))
    assert derive(git).argv("status") == git.argv("status")  # type: ignore[operator]


def test_one_on_another_directory_has_no_work_tree() -> None:
    assert Git("/r/.git", {}, Path("/w")).on("/r/.git/worktrees/a").argv()[2:3] == [
        "--git-dir=/r/.git/worktrees/a"
    ]
    assert not [word for word in Git("/r/.git", {}, Path("/w")).on("/x").argv() if "work-tree" in word]


def test_a_planted_git_is_not_found(git: Git, repo: Path, tmp_path: Path) -> None:
    """Discovery would take the directory it runs in; ours names another."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path / "planted")], env=environment(_ENV), check=True)
    at = Git(git.git_dir, git.env, cwd=tmp_path / "planted")
    assert at.text("rev-parse", "--absolute-git-dir") == str(repo / ".git")


def test_offline_reaches_no_remote(git: Git) -> None:
    with pytest.raises(CommandFailed, match="git"):
        git.offline().call("ls-remote", "https://127.0.0.1:9/x")
    assert git.offline().env["GIT_ALLOW_PROTOCOL"] == "none"
    assert git.untrusting().env["GIT_ALLOC_LIMIT"] == "2g"


def test_the_typed_verbs(git: Git) -> None:
    refs = git.refs("refs/heads")
    old, main = refs["refs/heads/old"], refs["refs/heads/main"]
    assert git.apart("old", "main") == (0, 1)
    assert (git.is_ancestor(old, main), git.is_ancestor(main, old)) == (True, False)
    assert git.ok("rev-parse", "--verify", "--quiet", "none") is False
    assert git.text("rev-parse", "main") == main
    assert git.settings().worktree_config is False
    found = git.objects([main, "0" * 40])
    assert found[0] is not None and found[0][:2] == (main, "commit")
    assert found[1] is None
    assert git.described("%(objecttype)", [main, git.tree_of(main)]) == ["commit", "tree"]
    assert git.described("%(objecttype)", lines([main])) == ["commit"]
    assert git.described("%(objecttype)", []) == []


def test_a_verb_says_no_only_for_the_status_that_means_no(git: Git) -> None:
    with pytest.raises(CommandFailed):
        git.is_ancestor("none", "main")


def test_a_call_has_the_deadline_it_was_made_with(git: Git) -> None:
    slow = Git(git.git_dir, git.env, timeout_s=0.2)
    with pytest.raises(CommandTimeout):
        slow.call("-c", "alias.wait=!sleep 9", "wait")


def test_in_a_checkout_git_is_the_users_but_for_what_runs_by_itself(repo: Path) -> None:
    git = CheckoutGit(repo, environment(_ENV))
    assert git.text("symbolic-ref", "HEAD") == "refs/heads/main"
    assert git.text("config", "core.hooksPath") == "/dev/null"
    assert git.with_env({**git.env, "GIT_DIR": "/nonexistent"}).ok("rev-parse", "HEAD") is False


def test_the_common_directory_is_found_from_below_and_nowhere_else(repo: Path, tmp_path: Path) -> None:
    (repo / "below").mkdir()
    assert common_dir_at(repo / "below", _ENV) == repo / ".git"
    assert common_dir_at(tmp_path, {**_ENV, "GIT_CEILING_DIRECTORIES": str(tmp_path)}) is None


def test_the_hooks_path_is_the_users_own(repo: Path) -> None:
    subprocess.run(
        ["git", "-C", str(repo), "config", "core.hooksPath", ".husky"], env=environment(_ENV), check=True
    )
    assert hooks_path(repo / ".git", environment(_ENV)) == ".husky"


def test_a_ref_is_read_to_the_byte() -> None:
    oid = b"a" * 40
    assert parse_refs(oid + b" refs/heads/a b\n" + oid + b" refs/heads/\xff\n") == {
        "refs/heads/a b": "a" * 40,
        "refs/heads/\udcff": "a" * 40,
    }


@pytest.mark.parametrize(
    "ask",
    [
        lambda git: git.tree_of("--all"),
        lambda git: git.is_ancestor("--all", "HEAD"),
        lambda git: git.is_ancestor("HEAD", "-a"),
        lambda git: git.refs("refs/heads", "--count=1"),
        lambda git: git.apart("--all", "HEAD"),
    ],
)
def test_a_typed_verb_refuses_a_value_that_would_be_an_option(ask: Callable[[Git], object]) -> None:
    """Seen to be passed on to git by all but `apart`."""
    with pytest.raises(UsageError, match="taken for an option"):
        ask(Git("/nowhere", {}))
