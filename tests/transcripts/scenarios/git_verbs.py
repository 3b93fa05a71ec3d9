"""The verbs of `clauderon.git`, on repositories of every kind; git answers from the transcript."""

from __future__ import annotations

import pytest

from clauderon import git
from clauderon.errors import Conflict, UsageError
from tests.standins import repository
from tests.transcripts.scenario import Scene, scenario


@scenario()
def git_repository_read(scene: Scene) -> None:
    repo = scene.repo()
    repository.git("remote", "add", "origin", "git@github.com:ada/engine.git", cwd=repo)
    found = git.repository_read(repo, scene.environ)
    assert (found.top, found.git_dir, found.common_dir) == (repo, repo / ".git", repo / ".git")
    assert (found.head_branch, found.object_format, found.dirty) == ("main", "sha1", False)
    assert (found.user_name, found.user_email) == (repository.NAME, repository.EMAIL)
    assert [remote.name for remote in found.remotes] == ["origin"]
    assert not (found.bare or found.shallow or found.partial or found.submodules or found.lfs)


@scenario()
def git_repository_read_below_its_top_with_a_change(scene: Scene) -> None:
    repo = scene.repo()
    (repo / "README.md").write_text("changed\n")
    found = git.repository_read(repo / "src", scene.environ, "main~0")
    assert found.top == repo
    assert found.dirty
    assert found.base_commit == found.head


@scenario()
def git_repository_read_detached(scene: Scene) -> None:
    repo = scene.repo()
    repository.git("checkout", "--quiet", "--detach", cwd=repo)
    found = git.repository_read(repo, scene.environ)
    assert not found.head_branch
    assert len(found.head) == 40


@scenario()
def git_repository_read_sha256(scene: Scene) -> None:
    repo = scene.work / "repo"
    repo.mkdir()
    repository.git("init", "--quiet", "--object-format=sha256", "--initial-branch=main", cwd=repo)
    repository.git("commit", "--quiet", "--allow-empty", "--message", "Begin", cwd=repo)
    found = git.repository_read(repo, scene.environ)
    assert (found.object_format, len(found.head)) == ("sha256", 64)


@scenario()
def git_repository_read_bare_and_shallow(scene: Scene) -> None:
    repo = scene.repo()
    repository.git("commit", "--quiet", "--allow-empty", "--message", "Go on", cwd=repo)
    repository.git("clone", "--quiet", "--bare", str(repo), "bare.git", cwd=scene.work)
    assert git.repository_read(scene.work / "bare.git", scene.environ).bare
    repository.git("clone", "--quiet", "--depth", "1", f"file://{repo}", "shallow", cwd=scene.work)
    assert git.repository_read(scene.work / "shallow", scene.environ).shallow


@scenario()
def git_repository_read_refuses(scene: Scene) -> None:
    repo = scene.repo()
    with pytest.raises(UsageError, match="no-such-ref"):
        git.repository_read(repo, scene.environ, "no-such-ref")
    with pytest.raises(Conflict):
        git.repository_read(repo, scene.environ, branch="main")
    empty = scene.work / "empty"
    empty.mkdir()
    with pytest.raises(UsageError, match="not in a git repository"):
        git.repository_read(empty, scene.environ)
    repository.git("init", "--quiet", cwd=empty)
    with pytest.raises(UsageError, match="no commit"):
        git.repository_read(empty, scene.environ)
