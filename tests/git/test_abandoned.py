"""What a killed git leaves goes; what a git that lives may hold stays."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clauderon.git import abandoned
from clauderon.git.abandoned import common_dir, git_dir_of, is_worked_in, remove_old, remove_since
from tests.standins.repository import git, make_repo

OLD_S = 60


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    repo = make_repo(tmp_path / "repo")
    git("worktree", "add", "-q", str(tmp_path / "other"), cwd=repo)
    return repo


def lock(path: Path, age_s: float = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    made = time.time() - age_s
    os.utime(path, (made, made))
    return path


@contextlib.contextmanager
def at_work(cwd: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A git that lives for as long as this block."""
    argv = ["git", *words, "cat-file", "--batch"]
    with subprocess.Popen(argv, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as child:
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write(b"no-such-object\n")
        child.stdout.readline()
        try:
            yield child
        finally:
            child.kill()


def test_the_locks_of_a_killed_git_go_and_older_ones_stay(repo: Path) -> None:
    common = repo / ".git"
    began = time.time()
    made = [lock(common / name) for name in ("index.lock", "HEAD.lock", "config.lock", "packed-refs.lock",
                                             "refs/heads/a/b.lock", "worktrees/other/HEAD.lock")]  # fmt: skip
    before = lock(common / "refs/heads/main.lock", OLD_S)
    assert sorted(remove_since(common / "worktrees/other", began)) == sorted(made)
    assert before.exists() and not any(one.exists() for one in made)


def test_the_directories_that_git_made_for_a_lock_go_with_it(repo: Path) -> None:
    """Seen to fail: a killed `create` left an empty refs/heads/clauderon. Found by `scripts/crash --gits`."""
    began = time.time()
    lock(repo / ".git/refs/heads/a/b/c.lock")
    lock(repo / ".git/refs/heads/kept/d.lock")
    (repo / ".git/refs/heads/kept/e").touch()
    remove_since(repo / ".git", began)
    assert not (repo / ".git/refs/heads/a").exists() and (repo / ".git/refs/heads/kept/e").exists()


def test_an_old_lock_goes_by_its_name_alone(repo: Path) -> None:
    common = repo / ".git"
    ours, fresh = lock(common / "refs/x/y.lock", OLD_S), lock(common / "refs/x/z.lock")
    other = lock(common / "index.lock", OLD_S)
    assert remove_old(common, ["refs/x/y", "refs/x/z"]) == [ours]
    assert fresh.exists() and other.exists()


@pytest.mark.parametrize("where", ["", "src", "../other", "by its words"])
def test_nothing_goes_while_a_git_works_there(
    repo: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to fail where running gits were not looked for."""
    monkeypatch.setattr(abandoned, "_PATIENCE_S", 0.1)
    words = ["--git-dir", str(repo / ".git")] if where == "by its words" else []
    cwd = Path("/") if words else repo / where
    began = time.time()
    held = lock(repo / ".git/index.lock")
    with at_work(cwd, *words):
        assert is_worked_in(repo / ".git")
        assert remove_since(repo / ".git", began) == []
    assert held.exists()
    assert remove_since(repo / ".git", began) == [held]


def test_a_git_elsewhere_is_none_of_it(repo: Path, tmp_path: Path) -> None:
    elsewhere = make_repo(tmp_path / "repository-2")
    with at_work(elsewhere):
        assert not is_worked_in(repo / ".git")


def test_a_git_that_was_killed_and_not_waited_for_holds_nothing(repo: Path) -> None:
    with at_work(repo) as child:
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not is_worked_in(repo / ".git")


def test_the_git_directory_of_a_checkout_and_what_it_shares(repo: Path, tmp_path: Path) -> None:
    assert git_dir_of(repo) == repo / ".git"
    assert git_dir_of(tmp_path / "other") == repo / ".git/worktrees/other"
    assert common_dir(repo / ".git/worktrees/other") == common_dir(repo / ".git") == repo / ".git"
