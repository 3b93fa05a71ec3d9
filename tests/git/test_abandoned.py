"""What a killed git leaves goes; what a git that lives may hold stays."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
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


@pytest.mark.parametrize(
    "kind", ["its directory elsewhere", "a submodule", "relative worktree", "by its environment"]
)
def test_a_git_is_seen_however_its_repository_is_laid_out(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to fail, each: such a git had its lock removed while it lived."""
    top, common = tmp_path / "top", tmp_path / "elsewhere/of.git"
    common.parent.mkdir()
    repo = make_repo(tmp_path / "repo")
    if kind == "its directory elsewhere":
        git("clone", "-q", f"--separate-git-dir={common}", str(repo), str(top), cwd=tmp_path)
        (top / "deep/er").mkdir(parents=True)
        where = top / "deep/er"
    elif kind == "a submodule":
        make_repo(top)
        words = ("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(repo), "sub")
        git(*words, cwd=top)
        where, common = top / "sub", top / ".git/modules/sub"
    elif kind == "relative worktree":
        git("worktree", "add", "-q", str(top), cwd=repo)
        where, common = top, repo / ".git"
        (common / "worktrees/top/gitdir").write_text("../../../../top/.git\n")
    else:
        where, common = Path("/"), repo / ".git"
        monkeypatch.setenv("GIT_DIR", str(common))
    with at_work(where):
        assert is_worked_in(common)
    monkeypatch.undo()
    assert not is_worked_in(common)


def test_a_lock_made_while_we_looked_for_gits_is_anothers(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to fail: the first git had ended and another had made the lock anew, and that one was removed."""
    began = time.time()
    held = lock(repo / ".git/index.lock")

    def anew(_common: Path) -> bool:
        held.unlink()
        held.write_text("of the git that has just begun")
        return False

    monkeypatch.setattr(abandoned, "is_worked_in", anew)
    assert remove_since(repo / ".git", began) == [] and held.exists()


def test_names_that_are_no_text_are_names(tmp_path: Path) -> None:
    """Seen to fail with a traceback: a container calls its programs what it likes, and a user's directories are bytes."""
    repo = make_repo(Path(os.fsdecode(os.fsencode(tmp_path) + b"/r\xff")))
    git("worktree", "add", "-q", str(tmp_path / "wt"), cwd=repo)
    assert common_dir(git_dir_of(tmp_path / "wt")) == repo / ".git"
    named = (
        "import ctypes, sys; ctypes.CDLL(None).prctl(15, b'git\\xff)'); print(flush=True); sys.stdin.read()"
    )
    argv = [sys.executable, "-c", named]
    with subprocess.Popen(argv, cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert not is_worked_in(repo / ".git")
        child.kill()


def test_a_git_that_was_killed_and_not_waited_for_holds_nothing(repo: Path) -> None:
    with at_work(repo) as child:
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not is_worked_in(repo / ".git")


def test_the_git_directory_of_a_checkout_and_what_it_shares(repo: Path, tmp_path: Path) -> None:
    assert git_dir_of(repo) == repo / ".git"
    assert git_dir_of(tmp_path / "other") == repo / ".git/worktrees/other"
    assert common_dir(repo / ".git/worktrees/other") == common_dir(repo / ".git") == repo / ".git"
