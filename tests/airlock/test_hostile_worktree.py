"""What a hostile container can put into its worktree, and that neither our git nor the user's makes anything of it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from clauderon import airlock, proc
from clauderon.airlock import snapshot, tree
from clauderon.airlock.status import place_of
from clauderon.paths import Home
from tests.airlock.world import World, call, make_repo, open_session

SECRET = "the host's secret 0002"


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


@pytest.fixture
def payload(tmp_path: Path, canary: Path) -> str:
    program = tmp_path / "payload"
    program.write_text(f"#!/bin/sh\n: > '{canary}'\nexec cat\n")
    program.chmod(0o755)
    return str(program)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A directory of the host, outside the worktree."""
    directory = tmp_path / "host-secrets"
    directory.mkdir()
    (directory / "key.txt").write_text(SECRET)
    return directory


def evil_repository(path: Path, payload: str) -> None:
    """A repository whose every git command runs the payload."""
    path.mkdir(parents=True, exist_ok=True)
    call("git", "init", "--quiet", cwd=path)
    call("git", "commit", "--quiet", "--allow-empty", "--message", "x", cwd=path)
    for key in ("core.fsmonitor", "core.pager", "diff.external", "core.sshCommand", "filter.evil.clean"):
        call("git", "config", key, payload, cwd=path)
    hooks = path / ".git/hooks"
    shutil.rmtree(hooks, ignore_errors=True)
    hooks.mkdir()
    for name in ("post-index-change", "post-checkout", "pre-commit"):
        shutil.copy(payload, hooks / name)


def plant_untracked(world: World, payload: str) -> None:
    evil_repository(world.worktree / "vendor/lib", payload)


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

    monkeypatch.setattr(snapshot, "changes", change_then_swap)
    assert world.rescue() == ("refs/clauderon/rescue/fix",)
    assert SECRET not in everything_known(world)
    assert world.host("ls-tree", "-r", "--name-only", "refs/clauderon/rescue/fix") == "README.md"


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
    monkeypatch.setattr(snapshot.take, "__kwdefaults__", {"file_bytes": 1 << 20, "whole": True})
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
    assert tree.is_dotgit(name) is taken


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
