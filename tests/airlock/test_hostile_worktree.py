"""What a hostile container can put into its worktree, and that neither our git nor the user's makes anything of it."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from clauderon import airlock, proc
from clauderon.airlock import snapshot
from clauderon.airlock.status import place_of
from clauderon.paths import Home
from tests.airlock.evil import evil_repository, plant_untracked
from tests.airlock.world import World, call, make_repo, open_session


def plant_submodule(world: World, payload: str) -> None:
    """A submodule entry in a commit, and a repository of the container's making where its checkout belongs."""
    place = world.worktree / "sub"
    evil_repository(place, payload)
    commit = call("git", "rev-parse", "HEAD", cwd=place)
    world.write(
        ".gitmodules", '[submodule "sub"]\n\tpath = sub\n\turl = https://example.test/sub\n\tignore = none\n'
    )
    world.inside("update-index", "--add", "--cacheinfo", f"160000,{commit},sub")
    world.inside("add", ".gitmodules")
    world.inside("commit", "--quiet", "--message", "A submodule")


def plant_gitfile(world: World, payload: str) -> None:
    """A submodule whose `.git` is a file that leads to a repository elsewhere in the worktree."""
    plant_submodule(world, payload)
    hidden = world.worktree / "hidden"
    (world.worktree / "sub/.git").rename(hidden)
    (world.worktree / "sub/.git").write_text("gitdir: ../hidden\n")


def plant_over_a_tracked_directory(world: World, payload: str) -> None:
    evil_repository(world.worktree / "src", payload)
    world.write("src/hello.txt", "changed\n")


def plant_attributes(world: World, payload: str) -> None:
    """Attributes choose among the programs that the user has configured."""
    for key in (
        "filter.user.clean",
        "filter.user.smudge",
        "filter.a=b.process",
        "diff.user.textconv",
        "diff.user.command",
    ):
        world.host("config", key, payload)
    world.host("config", "filter.user.required", "true")
    world.write(".gitattributes", "*.txt filter=user diff=user\n*.bin filter=a=b\n")
    world.write("data.bin", "x")
    world.inside("add", "--all")
    world.inside("commit", "--quiet", "--message", "Attributes")
    world.write("new.txt", "changed\n")


def plant_working_tree_encoding(world: World, payload: str) -> None:
    del payload
    world.write(".gitattributes", "* ident eol=crlf\n*.odd working-tree-encoding=UTF-16LE\n")
    world.inside("add", "--all")
    world.inside("commit", "--quiet", "--message", "Encoding")
    world.write("new.odd", "odd")


PLANTS = [
    plant_untracked,
    plant_submodule,
    plant_gitfile,
    plant_over_a_tracked_directory,
    plant_working_tree_encoding,
]


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_no_git_on_the_host_runs_what_the_worktree_brings(
    world: World, payload: str, canary: Path, plant: Callable[[World, str], None]
) -> None:
    world.commit("new.txt")
    world.sync()
    plant(world, payload)
    canary.unlink(missing_ok=True)
    world.everything()
    assert not canary.exists()


def test_attributes_choose_no_program_outside_a_merge(world: World, payload: str, canary: Path) -> None:
    world.commit("new.txt")
    world.sync()
    plant_attributes(world, payload)
    canary.unlink(missing_ok=True)
    world.sync()
    world.state()
    world.diff()
    world.delete()
    assert not canary.exists()


@pytest.mark.parametrize("plant", [plant_submodule, plant_gitfile], ids=lambda plant: plant.__name__)
@pytest.mark.parametrize(
    "command", [("status",), ("diff",), ("diff", "HEAD"), ("add", "--update"), ("stash",)], ids=" ".join
)
def test_the_users_own_git_in_the_worktree_does_not_enter_a_planted_submodule(
    world: World, payload: str, canary: Path, plant: Callable[[World, str], None], command: tuple[str, ...]
) -> None:
    plant(world, payload)
    world.sync()
    world.write("README.md", "changed\n")
    canary.unlink(missing_ok=True)
    subprocess.run(["git", *command], cwd=world.worktree, capture_output=True, check=False)
    assert not canary.exists()


def test_a_submodule_of_the_base_commit_is_shielded_from_the_start(
    repo: Path, home: Home, payload: str, canary: Path
) -> None:
    oid = call("git", "rev-parse", "HEAD", cwd=repo)
    (repo / ".gitmodules").write_text('[submodule "sub"]\n\tpath = sub\n\turl = https://example.test/sub\n')
    call("git", "update-index", "--add", "--cacheinfo", f"160000,{oid},sub", cwd=repo)
    call("git", "add", ".gitmodules", cwd=repo)
    call("git", "commit", "--quiet", "-m", "A submodule", cwd=repo)
    world = open_session(repo, home)
    assert world.host("status", "--porcelain", cwd=world.worktree) == ""
    assert world.inside("status", "--porcelain") == ""
    evil_repository(world.worktree / "sub", payload)
    canary.unlink(missing_ok=True)
    subprocess.run(["git", "status"], cwd=world.worktree, capture_output=True, check=False)
    assert not canary.exists()


def test_the_planted_submodule_does_run_without_the_shield(world: World, payload: str, canary: Path) -> None:
    plant_submodule(world, payload)
    world.sync()
    world.host("update-index", "--no-skip-worktree", "sub", cwd=world.worktree)
    canary.unlink(missing_ok=True)
    subprocess.run(["git", "status"], cwd=world.worktree, capture_output=True, check=False)
    assert canary.exists()


def test_things_that_are_no_files_are_survived(world: World) -> None:
    for number, tracked in enumerate(("README.md", "src/hello.txt")):
        (world.worktree / tracked).unlink()
        os.mkfifo(world.worktree / tracked)
        os.mkfifo(world.worktree / f"fifo{number}")
    with socket.socket(socket.AF_UNIX) as listener:
        cwd = Path.cwd()
        os.chdir(world.worktree)
        try:
            listener.bind("socket")
        finally:
            os.chdir(cwd)
    world.write("real.txt", "work\n")
    world.diff()
    assert world.state().modified == 2
    (ref,) = world.rescue()
    assert world.show(ref, "real.txt") == "work"


@pytest.mark.parametrize(
    "name",
    ["a b", "a\nb", "é", "\x1b[31mred", "-x", '"quoted"', "a\\b", "\udcff", ".gitignore.d", "a:b", "*", "~"],
)
def test_any_file_name_is_rescued(world: World, name: str) -> None:
    path = os.fsencode(world.worktree) + b"/" + os.fsencode(name)
    with open(path, "wb") as file:
        file.write(b"work\n")
    assert world.state().untracked == 1
    world.diff()
    (ref,) = world.rescue()
    names = world.host("ls-tree", "-z", "--name-only", ref).split("\0")
    assert name in names


def test_files_below_a_path_deeper_than_any_name_are_left_and_removed(world: World) -> None:
    descriptor = os.open(world.worktree, os.O_RDONLY)
    for _ in range(2200):
        os.mkdir("d", dir_fd=descriptor)
        following = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = following
    os.close(descriptor)
    world.state()
    world.delete()
    assert not world.worktree.exists()


def test_a_huge_file_is_not_swallowed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not made an object, and not thrown away either: the worktree is moved aside."""
    monkeypatch.setattr(
        snapshot.take, "__kwdefaults__", (snapshot.take.__kwdefaults__ or {}) | {"file_bytes": 1 << 20}
    )
    world.write("small.txt", "small\n")
    (world.worktree / "huge").touch()
    os.truncate(world.worktree / "huge", 1 << 34)
    ref, directory = world.rescue()
    assert world.show(ref, "small.txt") == "small"
    world.close()
    assert (Path(directory) / "worktree/huge").stat().st_size == 1 << 34
    assert "huge" in (Path(directory) / "reasons").read_text()
    assert not world.worktree.exists()


def test_our_own_mount_points_are_no_work(world: World) -> None:
    world.write(".claude.json", "")
    world.write(".clauderon/uploads/x.png")
    assert world.state().dirty == 0
    assert world.rescue() == ()


def test_a_repository_that_tracks_our_paths_keeps_its_own(tmp_path: Path, home: Home) -> None:
    repo = make_repo(tmp_path / "own", files={".claude.json": "{}", ".clauderon/hooks/x": "x", "a": "a"})
    world = open_session(repo, home)
    assert airlock.tracks(world.session, home, ".claude.json")
    assert airlock.tracks(world.session, home, ".clauderon")
    world.write(".claude.json", "{1}")
    assert world.state().modified == 1
    (ref,) = world.rescue()
    assert world.show(ref, ".claude.json") == "{1}"


def test_ignored_files_are_no_work(world: World) -> None:
    world.write(".gitignore", "build/\n")
    world.inside("add", "--all")
    world.inside("commit", "--quiet", "--message", "Ignore")
    world.write("build/out.o")
    world.sync()
    assert world.state().dirty == 0


def test_the_hardened_git_is_found_by_the_repository_not_by_the_worktree(world: World) -> None:
    place = place_of(world.home, world.session, world.environ)
    assert place.admin == Path(world.session.git_dir) / "worktrees" / "fix"


@pytest.mark.parametrize("command", ["read-tree", "update-index", "ls-files"])
def test_a_new_submodule_is_never_in_the_index_without_its_shield(
    world: World, payload: str, canary: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """A shell prompt runs `git status` all the time, also between two steps of a sync."""
    plant_submodule(world, payload)
    real = proc.start
    looks = []

    def look_before(argv: Sequence[str], **options: object) -> proc.Running:
        if command in argv:
            looks.append(argv)
            subprocess.run(["git", "status"], cwd=world.worktree, capture_output=True, check=False)
        return real(argv, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(proc, "start", look_before)
    canary.unlink(missing_ok=True)
    world.sync()
    subprocess.run(["git", "status"], cwd=world.worktree, capture_output=True, check=False)
    assert looks
    assert not canary.exists()
    assert "sub" in world.host("ls-files", cwd=world.worktree).splitlines()
