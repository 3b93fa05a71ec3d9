"""`clauderon rescue` for what no ref could be made of: the directories below `~/.clauderon/rescue/`, hostile ones too."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from clauderon.paths import Home
from tests.airlock.world import World, open_session
from tests.standins.cli import Cli

NAME = "fix-0123456789ab"


@pytest.fixture
def aside(repo: Path, home: Home, tmp_path: Path) -> World:
    """A deleted session whose directory was moved aside, since a ref in it led nowhere; it tries what it can."""
    world = open_session(repo, home)
    world.commit("unmerged.txt")
    world.write("sub/uncommitted.txt", "precious\n")
    (world.worktree / "out").symlink_to(tmp_path)
    for bare in ("planted/.git", "hidden"):
        world.host("init", "--quiet", "--bare", str(world.worktree / bare))
    (world.private / "refs/heads/bad").write_text("ab" * 20 + "\n")
    canary = f"touch {tmp_path / 'ran'}"
    with (world.private / "config").open("a") as config:
        config.write(
            f'[core]\n\tfsmonitor = "{canary}"\n\tpager = "{canary}"\n[diff]\n\texternal = "{canary}"\n'
        )
    # As an old one whose work is in no ref at all.
    directory = world.rescue()[-1]
    world.close()
    for name in world.refs("refs/clauderon/rescue"):
        world.host("update-ref", "-d", name)
    world.host("gc", "--quiet", "--prune=now")
    assert Path(directory) == home.root / "rescue" / NAME
    return world


def place(world: World) -> Path:
    return world.home.root / "rescue" / NAME


def test_git_on_the_host_reads_it(aside: World, tmp_path: Path) -> None:
    """The container's own directory was in this place: git said `unable to normalize alternate object path`.

    Seen to fail without the alternates that `aside` writes.
    """
    git_dir = place(aside) / "git"
    assert "Work" in aside.host(f"--git-dir={git_dir}", "log", "--all", "--stat", cwd=tmp_path)
    aside.host(
        f"--git-dir={git_dir}", "log", "-1", "--ext-diff", "-p", "refs/heads/clauderon/fix", cwd=tmp_path
    )
    assert (place(aside) / "inside/refs/heads/bad").exists()
    assert not (tmp_path / "ran").exists()


def test_list_and_show_say_what_it_is(aside: World, cli: Cli) -> None:
    (row,) = cli.ok("rescue", "list", "--json").json["data"]
    assert (row["name"], row["kind"], row["path"]) == (NAME, "directory", str(place(aside)))
    for name in (NAME, str(place(aside))):
        data = cli.ok("rescue", "show", name, "--json").json["data"]
        assert "ab" * 20 in " ".join(data["reasons"])
        assert (data["repo"], data["holds"]) == (str(aside.repo), "worktree inside git")
    assert subprocess.run(
        ["sh", "-c", data["history"]], check=True, capture_output=True, env=os.environ
    ).stdout
    assert "reasons" in cli.ok("rescue", "show", NAME).text


def test_its_history_comes_back_as_a_branch(aside: World, cli: Cli, tmp_path: Path) -> None:
    cli.ok("rescue", "restore", NAME, "--branch", "again")
    assert aside.show("refs/heads/again", "unmerged.txt") == "text"
    aside.host("fsck", "--strict")
    assert not (tmp_path / "ran").exists()
    assert sorted(path.name for path in place(aside).iterdir()) == [
        "git", "inside", "reasons", "session.json", "worktree",
    ]  # fmt: skip


def test_its_files_come_back_as_changes_in_a_worktree(aside: World, cli: Cli, tmp_path: Path) -> None:
    """Seen to fail with `storable` or `makes_repository` taken out: git took the planted ones for repositories."""
    cli.ok("rescue", "restore", NAME, "--worktree", "back")
    back = tmp_path / "back"
    assert (back / "sub/uncommitted.txt").read_text() == "precious\n"
    assert (back / "out").readlink() == tmp_path
    changed = aside.host("status", "--porcelain", "--untracked-files=all", cwd=back)
    assert "?? sub/uncommitted.txt" in changed and " D " not in changed and "unmerged" not in changed
    for planted in ("planted", "planted/.git.rescued", "hidden"):
        assert aside.host("rev-parse", "--show-toplevel", cwd=back / planted) == str(back)
    assert cli("rescue", "restore", NAME, "--worktree", "back").status == 5
    assert not (tmp_path / "ran").exists()


def test_a_history_with_a_hole_gives_its_files_back(aside: World, cli: Cli, tmp_path: Path) -> None:
    shutil.rmtree(place(aside) / "inside/objects")
    refused = cli("rescue", "restore", NAME, "--branch", "again")
    assert refused.status == 4 and "--worktree DIR" in refused.error
    cli.ok("rescue", "restore", NAME, "--worktree", "back")
    assert (tmp_path / "back/unmerged.txt").read_text() == "text\n"


def test_without_its_repository_there_are_the_files(aside: World, cli: Cli, tmp_path: Path) -> None:
    aside.repo.rename(tmp_path / "moved")
    assert cli("rescue", "restore", NAME, cwd=Path("/")).status == 2
    cli.ok("rescue", "restore", NAME, "--worktree", str(tmp_path / "back"), cwd=Path("/"))
    assert (tmp_path / "back/sub/uncommitted.txt").read_text() == "precious\n"
    cli.ok("rescue", "restore", NAME, "--repo", str(tmp_path / "moved"), "--branch", "again")
    assert "again" in aside.host("branch", cwd=tmp_path / "moved")


def test_one_of_an_older_version_is_read_with_its_repository_named(aside: World, cli: Cli) -> None:
    shutil.rmtree(place(aside) / "git")
    (place(aside) / "inside").rename(place(aside) / "git")
    (place(aside) / "session.json").unlink()
    assert cli("rescue", "restore", NAME).status == 2
    cli.ok("rescue", "restore", NAME, "--repo", str(aside.repo))
    assert aside.show(f"refs/heads/rescue/{NAME}", "unmerged.txt") == "text"
    assert cli.ok("rescue", "show", NAME, "--json").json["data"]["history"] == ""


def test_drop_removes_it(aside: World, cli: Cli) -> None:
    assert cli("rescue", "drop", NAME).status == 6
    assert cli.ok("rescue", "drop", NAME, "--yes").text == f"{NAME}\n"
    assert not place(aside).exists()
