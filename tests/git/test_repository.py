"""What is read of the user's repository, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clauderon import git, proc
from clauderon.errors import Conflict, UsageError
from tests.airlock.world import call, make_repo


def read(path: Path, base: str | None = None, branch: str | None = None) -> git.Repository:
    return git.repository_read(path, dict(os.environ), base, branch=branch)


def test_a_plain_repository(repo: Path) -> None:
    found = read(repo)
    head = call("git", "rev-parse", "HEAD", cwd=repo)
    assert (found.top, found.path, found.git_dir, found.common_dir) == (
        repo,
        repo,
        repo / ".git",
        repo / ".git",
    )
    assert found.objects == (repo / ".git/objects",)
    assert (found.head, found.base_commit, found.head_branch, found.object_format) == (
        head,
        head,
        "main",
        "sha1",
    )
    assert not (found.bare or found.shallow or found.partial or found.submodules or found.lfs or found.dirty)
    assert (found.user_name, found.user_email) == ("Ada Tester", "ada@example.test")
    assert (found.remotes, found.filters, found.tracks, found.notes) == ((), (), frozenset(), ())


def test_a_directory_below_names_the_same_repository(repo: Path) -> None:
    assert read(repo / "src").top == repo


def test_a_link_to_the_repository_is_resolved(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(repo)
    assert read(tmp_path / "link").top == repo


def test_at_most_four_processes(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 0
    real = proc.start

    def counted(*args: object, **kwargs: object) -> proc.Running:
        nonlocal count
        count += 1
        return real(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(proc, "start", counted)
    read(repo, "main", "clauderon/fix")
    assert count == 4


@pytest.mark.parametrize("base", ["main", "HEAD~1", "v1", "refs/tags/v1", "main@{0}", "sp ace"])
def test_any_name_for_a_commit_is_a_base(repo: Path, base: str) -> None:
    first = call("git", "rev-parse", "HEAD", cwd=repo)
    call("git", "tag", "-a", "-m", "x", "v1", cwd=repo)
    call("git", "commit", "--quiet", "--allow-empty", "-m", "Second", cwd=repo)
    second = call("git", "rev-parse", "HEAD", cwd=repo)
    if base == "sp ace":
        base = "HEAD^{/Second}"
    expected = first if base in ("HEAD~1", "v1", "refs/tags/v1") else second
    found = read(repo, base)
    assert (found.base_commit, found.head) == (expected, second)


@pytest.mark.parametrize(
    "base",
    [
        "nosuch",
        "HEAD~9",
        "HEAD:README.md",
        "HEAD^{tree}",
        "",
        " ",
        "a\nb",
        "--all",
        "-x",
        "HEAD..main",
        "main...HEAD",
        "@{",
        "x.lock",
    ],
)
def test_a_base_that_is_no_commit_is_refused(repo: Path, base: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(repo, base)
    assert "--base" in caught.value.what
    assert "\n" not in str(caught.value)


def test_what_is_no_repository_is_refused(tmp_path: Path, repo: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="not in a git repository"):
        read(tmp_path / "empty")
    with pytest.raises(UsageError, match="no such directory"):
        read(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="not a directory"):
        read(tmp_path / "file")
    with pytest.raises(UsageError, match=r"inside a \.git directory") as caught:
        read(repo / ".git")
    assert caught.value.hint == f"clauderon create --repo {repo} ..."


def test_a_repository_without_a_commit_is_refused(tmp_path: Path) -> None:
    call("git", "init", "--quiet", str(tmp_path / "new"), cwd=tmp_path)
    with pytest.raises(UsageError, match="no commit yet"):
        read(tmp_path / "new")
    with pytest.raises(UsageError):
        read(tmp_path / "new", "main")


def test_an_unborn_branch_is_no_hindrance_with_a_base(repo: Path) -> None:
    call("git", "checkout", "--quiet", "--orphan", "unborn", cwd=repo)
    found = read(repo, "main")
    assert found.base_commit == call("git", "rev-parse", "main", cwd=repo)
    with pytest.raises(UsageError, match="no commit yet"):
        read(repo)


def test_a_repository_of_another_user_is_refused_with_gits_remedy(repo: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    for path in (repo, repo / ".git"):
        os.chown(path, 1234, 1234)
    with pytest.raises(UsageError, match="belong to another user") as caught:
        read(repo)
    assert "safe.directory" in (caught.value.hint or "")


def test_uncommitted_changes_are_seen_and_untracked_files_are_not(repo: Path) -> None:
    (repo / "untracked").write_text("")
    assert not read(repo).dirty
    (repo / "README.md").write_text("changed")
    assert read(repo).dirty


def test_taken_branch_names_are_a_conflict(repo: Path) -> None:
    call("git", "branch", "clauderon/fix", cwd=repo)
    with pytest.raises(Conflict, match="it exists already"):
        read(repo, branch="clauderon/fix")
    with pytest.raises(Conflict, match="a branch named clauderon/fix is in the way"):
        read(repo, branch="clauderon/fix/more")
    assert read(repo, branch="clauderon/fixed").head


def test_our_paths_are_looked_for_in_the_base(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", files={".claude.json": "{}", "x": ""})
    call("git", "rm", "--quiet", ".claude.json", cwd=repo)
    call("git", "commit", "--quiet", "-m", "Gone", cwd=repo)
    assert read(repo).tracks == frozenset()
    assert read(repo, "HEAD~").tracks == {".claude.json"}


def test_the_environment_is_not_printed_with_it(repo: Path) -> None:
    found = git.repository_read(repo, {**os.environ, "ANTHROPIC_API_KEY": "sk-ant-test-not-a-real-key-0001"})
    assert "sk-ant" not in repr(found)


def test_a_file_where_our_directory_has_to_be_is_refused(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", files={".clauderon": "", "x": ""})
    with pytest.raises(UsageError, match=r"it tracks a file called \.clauderon"):
        read(repo)


@pytest.mark.parametrize("kind", ["file", "link", "nested"])
def test_whatever_stands_where_uploads_have_to_be_is_refused(tmp_path: Path, kind: str) -> None:
    """Seen to fail with the name `.clauderon` alone looked at: the file was replaced, and the worktree dirty."""
    repo = make_repo(tmp_path / "r", files={".clauderon/uploads": "", "x": ""})
    if kind != "file":
        call("git", "rm", "--quiet", ".clauderon/uploads", cwd=repo)
        (repo / ".clauderon").mkdir(exist_ok=True)
        head = call("git", "rev-parse", "HEAD", cwd=repo)
        if kind == "link":
            (repo / ".clauderon/uploads").symlink_to("../x")
            call("git", "add", ".clauderon", cwd=repo)
        else:
            call("git", "update-index", "--add", "--cacheinfo", f"160000,{head},.clauderon/uploads", cwd=repo)
        call("git", "commit", "--quiet", "-m", "Change its kind", cwd=repo)
    with pytest.raises(UsageError, match=r"it tracks a file called \.clauderon/uploads, and a session needs"):
        read(repo)


def test_a_directory_of_uploads_is_the_repositorys_own(tmp_path: Path) -> None:
    assert read(make_repo(tmp_path / "r", files={".clauderon/uploads/a": "", "x": ""})).tracks == {
        ".clauderon"
    }


@pytest.mark.parametrize("base", ["same", "same~0", "same^{commit}", "deep/same"])
def test_a_branch_comes_before_a_tag_of_its_name_and_that_is_said(repo: Path, base: str) -> None:
    """git itself takes the tag, with a warning on stderr that nobody sees."""
    name = "deep/same" if "deep" in base else "same"
    call("git", "tag", name, cwd=repo)
    call("git", "branch", "other", cwd=repo)
    call("git", "commit", "--quiet", "--allow-empty", "-m", "Second", cwd=repo)
    call("git", "branch", name, cwd=repo)
    found = read(repo, base)
    assert found.base_commit == call("git", "rev-parse", f"refs/heads/{name}", cwd=repo)
    assert any("is a tag too" in note for note in found.notes)
    assert read(repo, f"refs/tags/{name}").base_commit == call("git", "rev-parse", "other", cwd=repo)
    assert not any("is a tag too" in note for note in read(repo, "other").notes)


def test_head_is_head_whatever_a_branch_is_called(repo: Path) -> None:
    first = call("git", "rev-parse", "HEAD", cwd=repo)
    call("git", "commit", "--quiet", "--allow-empty", "-m", "Second", cwd=repo)
    for name in ("HEAD", call("git", "rev-parse", "HEAD", cwd=repo)):
        call("git", "update-ref", f"refs/heads/{name}", first, cwd=repo)
        assert read(repo, name).base_commit == call("git", "rev-parse", "HEAD", cwd=repo)


def test_a_bare_repository_that_git_may_not_use_is_said_to_be_that(tmp_path: Path) -> None:
    """It was "it is not in a git repository", or git's own words without a way out."""
    call("git", "init", "-q", "--bare", "bare.git", cwd=tmp_path)
    settings = tmp_path / "config"
    settings.write_text("[safe]\n\tbareRepository = explicit\n")
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": str(settings)}
    with pytest.raises(UsageError, match=r"safe\.bareRepository = explicit") as caught:
        git.repository_read(tmp_path / "bare.git", environ)
    assert "git config --global safe.bareRepository all" in (caught.value.hint or "")
