"""What a person is told of a repository before a session works on it."""

from __future__ import annotations

import os
from pathlib import Path

from clauderon import git
from tests.airlock.world import call, make_repo


def read(path: Path, base: str | None = None, branch: str | None = None) -> git.Repository:
    return git.repository_read(path, dict(os.environ), base, branch=branch)


def test_filters_are_told_of_since_git_by_hand_would_run_them(repo: Path) -> None:
    call("git", "config", "filter.lfs.smudge", "git-lfs smudge -- %f", cwd=repo)
    assert read(repo).notes == ()
    call("git", "config", "filter.nbstripout.clean", "python3 -m nbstripout", cwd=repo)
    assert any("filters (nbstripout): run no git command" in note for note in read(repo).notes)
    call("git", "config", "extensions.worktreeConfig", "true", cwd=repo)
    assert read(repo).notes == ()


def test_hooks_in_the_tree_are_warned_of(repo: Path) -> None:
    call("git", "config", "core.hooksPath", ".husky", cwd=repo)
    assert any("core.hooksPath is .husky" in note for note in read(repo).notes)
    call("git", "config", "core.hooksPath", "/usr/share/hooks", cwd=repo)
    assert read(repo).notes == ()


def test_hooks_of_the_repositorys_own_are_seen_whatever_its_format(tmp_path: Path) -> None:
    with_hooks = {".clauderon/hooks/Stop.sh": "", ".clauderon/hooks-not": "", "x": ""}
    assert read(make_repo(tmp_path / "with", files=with_hooks)).tracks == {".clauderon", ".clauderon/hooks"}
    without = {".clauderon/a": "", ".clauderon/hooks-not/x": "", "x": ""}
    assert read(make_repo(tmp_path / "without", files=without)).tracks == {".clauderon"}
