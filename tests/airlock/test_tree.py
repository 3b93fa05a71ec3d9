"""Looking at a worktree that a container writes: what is planted in it is seen, and no link is followed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from clauderon.airlock import gitlike, rescuing, snapshot
from tests.airlock.evil import evil_repository, plant_untracked
from tests.airlock.world import World, call

SECRET = "the host's secret 0002"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A directory of the host, outside the worktree."""
    directory = tmp_path / "host-secrets"
    directory.mkdir()
    (directory / "key.txt").write_text(SECRET)
    return directory


def test_planted_repositories_are_reported(world: World, payload: str) -> None:
    plant_untracked(world, payload)
    world.write("a/.GIT/config", "")
    world.write("b/.g\u200cit", "")
    world.write("c/GIT~1", "")
    (world.worktree / "d").mkdir()
    (world.worktree / "d/.git").symlink_to("/")
    assert set(world.state().planted) == {"vendor/lib/.git", "a/.GIT", "b/.g\\u200cit", "c/GIT~1", "d/.git"}


def test_names_that_only_look_alike_are_not_reported(world: World) -> None:
    for name in (".github/x", ".gitignore", "git", ".git2/x", "a.git/x", "src/.gitkeep"):
        world.write(name)
    assert world.state().planted == ()


def test_a_forged_pointer_at_the_top_is_reported(world: World) -> None:
    (world.worktree / ".git").write_text("gitdir: /tmp/elsewhere\n")
    assert world.state().planted == (".git",)


def test_the_worktrees_own_pointer_is_not_what_git_is_called_with(
    world: World, payload: str, canary: Path, tmp_path: Path
) -> None:
    evil_repository(tmp_path / "evil", payload)
    commit = world.commit()
    (world.worktree / ".git").write_text(f"gitdir: {tmp_path}/evil/.git\n")
    canary.unlink(missing_ok=True)
    assert world.sync().new == commit
    assert world.state().ahead == 1
    assert "new.txt" in world.diff(name_only=True)
    assert not canary.exists()


# Links out of the workspace: nothing of the host may end in an object, which the container could read.


def everything_known(world: World) -> str:
    """The content of every object in the user's repository and in our copies."""
    found = world.host("cat-file", "--batch-all-objects", "--batch")
    for directory in (world.side.objects, world.side.snapshot):
        if directory.is_dir():
            env = {"GIT_OBJECT_DIRECTORY": str(directory)}
            found += call("git", "cat-file", "--batch-all-objects", "--batch", cwd=world.repo, env=env)
    return found


def swap_directory(world: World, secret: Path) -> None:
    shutil.rmtree(world.worktree / "src")
    (secret / "hello.txt").write_text(SECRET)
    (world.worktree / "src").symlink_to(secret)


def swap_file(world: World, secret: Path) -> None:
    (world.worktree / "README.md").unlink()
    (world.worktree / "README.md").symlink_to(secret / "key.txt")


def link_untracked(world: World, secret: Path) -> None:
    (world.worktree / "all").symlink_to(secret)
    (world.worktree / "up").symlink_to("../../..")
    (world.worktree / "root").symlink_to("/")


def link_in_nested(world: World, secret: Path) -> None:
    nested = world.worktree / "nested"
    nested.mkdir()
    call("git", "init", "--quiet", cwd=nested)
    (nested / "link").symlink_to(secret)
    (nested / "key.txt").symlink_to(secret / "key.txt")
    shutil.rmtree(nested / ".git/hooks")
    (nested / ".git/hooks").symlink_to(secret)


@pytest.mark.parametrize(
    "swap", [swap_directory, swap_file, link_untracked, link_in_nested], ids=lambda s: s.__name__
)
def test_a_link_out_of_the_workspace_is_kept_as_a_link(
    world: World, secret: Path, swap: Callable[[World, Path], None]
) -> None:
    world.commit()
    swap(world, secret)
    world.diff()
    assert SECRET not in everything_known(world)
    refs = world.rescue()
    assert refs[0] == "refs/clauderon/rescue/fix"
    assert not world.side.unrescued.exists()
    assert SECRET not in everything_known(world)
    world.close()
    assert (secret / "key.txt").read_text() == SECRET


def test_a_directory_swapped_for_a_link_between_two_looks_leads_nowhere(
    world: World, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git saw a changed file; by the time it is read its directory leads out of the workspace."""
    (secret / "hello.txt").write_text(SECRET)
    world.write("src/hello.txt", "changed\n")
    real = snapshot.changes

    def change_then_swap(place: snapshot.Place) -> snapshot.Changes:
        found = real(place)
        assert found.modified == (b"src/hello.txt",)
        swap_directory(world, secret)
        return found

    monkeypatch.setattr(rescuing, "changes", change_then_swap)
    assert world.rescue() == ("refs/clauderon/rescue/fix",)
    assert SECRET not in everything_known(world)
    assert world.host("ls-tree", "-r", "--name-only", "refs/clauderon/rescue/fix") == "README.md"


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        (".git", True),
        (".GiT", True),
        ("git~1", True),
        (".git ", True),
        (".git...", True),
        (".git::$INDEX", True),
        (".gi\u200dt", True),
        ("\ufeff.git", True),
        (".gitx", False),
        ("git", False),
        ("git~2", False),
        (" .git", False),
    ],
)
def test_spellings_of_git_that_some_file_system_takes_for_it(name: str, taken: bool) -> None:
    assert gitlike.is_dotgit(name) is taken
