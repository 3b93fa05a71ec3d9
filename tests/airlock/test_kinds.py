"""Kinds of repositories, each from open to delete: what docs/airlock.md says of them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from clauderon import git
from clauderon.errors import UsageError
from clauderon.paths import Home
from tests.airlock.world import World, call, make_repo, open_session


def whole_life(world: World, *, merge: bool = True) -> None:
    """Commit, housekeep, sync, look, merge and delete; nothing lost, everything clean."""
    assert world.inside("status", "--porcelain") == ""
    assert world.host("status", "--porcelain", cwd=world.worktree) == ""
    world.commit("one.txt")
    assert world.sync().outcome == "advanced"
    world.inside("gc", "--quiet")
    second = world.commit("two.txt")
    assert world.sync().new == second
    assert world.inside("status", "--porcelain") == ""
    assert world.host("status", "--porcelain", cwd=world.worktree) == ""
    if merge:
        assert world.merge().changed
    world.write("dirty.txt", "dirty\n")
    assert "dirty.txt" in world.diff()
    refs = world.delete()
    assert world.show(refs[0], "dirty.txt") == "dirty"
    assert second in world.host("rev-list", refs[0]).split()


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A repository to clone from, with five commits."""
    origin = make_repo(tmp_path / "origin")
    for number in range(4):
        (origin / f"{number}.txt").write_text(f"{number}\n" * 50)
        call("git", "add", "--all", cwd=origin)
        call("git", "commit", "--quiet", "-m", str(number), cwd=origin)
    call("git", "config", "uploadpack.allowFilter", "true", cwd=origin)
    call("git", "config", "uploadpack.allowAnySHA1InWant", "true", cwd=origin)
    return origin


def clone(origin: Path, *options: str) -> Path:
    target = origin.parent / "clone"
    call("git", "clone", "--quiet", *options, f"file://{origin}", str(target), cwd=origin.parent)
    call("git", "config", "user.name", "Ada Tester", cwd=target)
    call("git", "config", "user.email", "ada@example.test", cwd=target)
    return target


def test_sha256(tmp_path: Path, home: Home) -> None:
    repo = tmp_path / "repo"
    repo.mkdir()
    call("git", "init", "--quiet", "--object-format=sha256", "--initial-branch=main", cwd=repo)
    (repo / "a").write_text("a\n")
    call("git", "add", "a", cwd=repo)
    call("git", "commit", "--quiet", "-m", "Begin", cwd=repo)
    world = open_session(repo, home)
    assert len(world.session.base) == 64
    whole_life(world)


def knows_reftable(tmp_path: Path) -> bool:
    argv = ["git", "init", "--quiet", "--ref-format=reftable", str(tmp_path / "probe")]
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def test_reftable(tmp_path: Path, home: Home) -> None:
    if not knows_reftable(tmp_path):
        pytest.skip("this git is older than 2.45")
    repo = tmp_path / "repo"
    call("git", "init", "--quiet", "--ref-format=reftable", "--initial-branch=main", str(repo), cwd=tmp_path)
    (repo / "a").write_text("a\n")
    call("git", "add", "a", cwd=repo)
    call("git", "commit", "--quiet", "-m", "Begin", cwd=repo)
    whole_life(open_session(repo, home))


def test_refs_migrated_to_reftable_inside(repo: Path, tmp_path: Path, home: Home) -> None:
    if not knows_reftable(tmp_path):
        pytest.skip("this git is older than 2.45")
    world = open_session(repo, home)
    world.commit("one.txt")
    # The first versions that can migrate cannot take reflogs along.
    world.inside("config", "core.logAllRefUpdates", "false")
    shutil.rmtree(world.private / "logs")
    world.inside("refs", "migrate", "--ref-format=reftable")
    commit = world.commit("two.txt")
    result = world.sync()
    assert result.outcome == "missing"
    assert "git refs migrate --ref-format=files" in result.notes[0]
    world.inside("refs", "migrate", "--ref-format=files")
    assert world.sync().new == commit


def test_shallow(origin: Path, home: Home) -> None:
    repo = clone(origin, "--depth=2")
    repository = git.repository_read(repo, dict(os.environ))
    assert repository.shallow
    world = open_session(repo, home)
    assert world.inside("rev-list", "--count", "HEAD") == "2"
    whole_life(world)


def test_shallow_deepened_inside(origin: Path, home: Home) -> None:
    world = open_session(clone(origin, "--depth=1"), home)
    world.inside("fetch", "--quiet", "--unshallow", "origin")
    commit = world.commit("new.txt")
    assert world.sync().new == commit
    world.host("fsck")


def test_partial_clone(origin: Path, home: Home) -> None:
    repo = clone(origin, "--filter=blob:none")
    repository = git.repository_read(repo, dict(os.environ))
    assert repository.partial
    assert any("partial clone" in note for note in repository.notes)
    world = open_session(repo, home)
    assert world.inside("show", "HEAD~2:0.txt").startswith("0")
    whole_life(world)


def test_partial_and_sparse_where_most_blobs_never_came(tmp_path: Path, home: Home) -> None:
    files = {f"{name}/file.txt": name for name in ("a", "b", "c")}
    origin = make_repo(tmp_path / "origin", files=files)
    call("git", "config", "uploadpack.allowFilter", "true", cwd=origin)
    repo = clone(origin, "--filter=blob:none", "--sparse")
    call("git", "sparse-checkout", "set", "a", cwd=repo)
    world = open_session(repo, home)
    assert sorted(path.name for path in world.worktree.iterdir() if path.is_dir()) == ["a"]
    whole_life(world)


def test_sparse(origin: Path, home: Home) -> None:
    call("git", "sparse-checkout", "set", "src", cwd=origin)
    world = open_session(origin, home)
    assert (world.worktree / "src").is_dir()
    whole_life(world)


def test_submodules(tmp_path: Path, home: Home) -> None:
    library = make_repo(tmp_path / "library")
    repo = make_repo(tmp_path / "repo")
    allow = ("-c", "protocol.file.allow=always")
    call("git", *allow, "submodule", "--quiet", "add", str(library), "lib", cwd=repo)
    call("git", "commit", "--quiet", "-m", "A library", cwd=repo)
    repository = git.repository_read(repo, dict(os.environ))
    assert repository.submodules
    assert any("Submodules" in note for note in repository.notes)
    world = open_session(repo, home)
    assert list((world.worktree / "lib").iterdir()) == []
    world.inside(*allow, "submodule", "--quiet", "update", "--init")
    assert (world.worktree / "lib/README.md").exists()
    assert world.inside("status", "--porcelain") == ""
    assert world.state().planted == ("lib/.git",)
    whole_life(world)


def test_a_submodule_as_the_repository(tmp_path: Path, home: Home) -> None:
    library = make_repo(tmp_path / "library")
    outer = make_repo(tmp_path / "outer")
    call(
        "git",
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        str(library),
        "lib",
        cwd=outer,
    )
    call("git", "commit", "--quiet", "-m", "A library", cwd=outer)
    world = open_session(outer / "lib", home)
    assert world.session.git_dir == str(outer / ".git/modules/lib")
    whole_life(world)


def test_git_lfs_files_are_pointers(repo: Path, home: Home) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "ab" * 32 + "\nsize 12\n"
    (repo / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    (repo / "data.bin").write_text(pointer)
    call("git", "add", "--all", cwd=repo)
    call("git", "commit", "--quiet", "-m", "Large", cwd=repo)
    for key, value in (
        ("clean", "git-lfs clean -- %f"),
        ("smudge", "git-lfs smudge -- %f"),
        ("required", "true"),
    ):
        call("git", "config", f"filter.lfs.{key}", value, cwd=repo)
    call("git", "config", "filter.lfs.process", "git-lfs filter-process", cwd=repo)
    repository = git.repository_read(repo, dict(os.environ))
    assert repository.lfs
    assert any("LFS" in note for note in repository.notes)
    world = open_session(repo, home)
    assert (world.worktree / "data.bin").read_text() == pointer
    # The user's git-lfs is not on this machine: nothing here may have needed it.
    assert world.inside("status", "--porcelain") == ""
    commit = world.commit("one.txt")
    assert world.sync().new == commit
    world.write("data.bin", pointer.replace("12", "13"))
    assert world.state().modified == 1
    assert world.delete() == ("refs/clauderon/rescue/fix",)


def test_bare(repo: Path, tmp_path: Path, home: Home) -> None:
    bare = tmp_path / "bare.git"
    call("git", "clone", "--quiet", "--bare", str(repo), str(bare), cwd=tmp_path)
    world = open_session(bare, home)
    assert world.session.repo == world.session.git_dir == str(bare)
    with pytest.raises(UsageError, match="bare"):
        world.commit("zero.txt")
        world.sync()
        world.merge()
    whole_life(world, merge=False)


def test_a_linked_worktree_of_the_users(repo: Path, tmp_path: Path, home: Home) -> None:
    linked = tmp_path / "linked"
    call("git", "worktree", "add", "--quiet", str(linked), "-b", "side", cwd=repo)
    call("git", "commit", "--quiet", "--allow-empty", "-m", "On the side", cwd=linked)
    world = open_session(linked, home)
    assert world.session.repo == str(linked)
    assert world.session.git_dir == str(repo / ".git")
    assert world.host("log", "-1", "--format=%s", world.branch) == "On the side"
    world.commit("zero.txt")
    world.sync()
    assert world.merge().into == "side"
    assert call("git", "rev-parse", "side", cwd=repo) == world.tip()
    whole_life(world)


def test_a_detached_head(repo: Path, home: Home) -> None:
    call("git", "checkout", "--quiet", "--detach", cwd=repo)
    call("git", "commit", "--quiet", "--allow-empty", "-m", "Alone", cwd=repo)
    world = open_session(repo, home)
    with pytest.raises(UsageError, match="detached"):
        world.commit("zero.txt")
        world.sync()
        world.merge()
    whole_life(world, merge=False)


def test_settings_that_change_how_files_look_agree_inside_and_outside(repo: Path, home: Home) -> None:
    call("git", "config", "core.autocrlf", "true", cwd=repo)
    call("git", "config", "core.fileMode", "false", cwd=repo)
    world = open_session(repo, home)
    assert (world.worktree / "README.md").read_bytes().endswith(b"\r\n")
    for path in world.worktree.rglob("*.*"):
        os.utime(path)
    whole_life(world)


@pytest.mark.parametrize(
    "setting", ["feature.manyFiles", "core.splitIndex", "core.untrackedCache", "index.skipHash"]
)
def test_index_formats_of_the_users_choice(repo: Path, home: Home, setting: str) -> None:
    call("git", "config", setting, "true", cwd=repo)
    whole_life(open_session(repo, home))


def test_worktree_configuration_switched_on(repo: Path, home: Home) -> None:
    call("git", "config", "extensions.worktreeConfig", "true", cwd=repo)
    call("git", "config", "--worktree", "user.name", "Only Here", cwd=repo)
    whole_life(open_session(repo, home))


def test_a_repository_packed_to_the_last_object(repo: Path, home: Home) -> None:
    call("git", "gc", "--quiet", cwd=repo)
    call("git", "commit-graph", "write", "--reachable", cwd=repo)
    call("git", "multi-pack-index", "write", cwd=repo)
    whole_life(open_session(repo, home))


def test_a_tag_of_the_branchs_name_misleads_nobody(repo: Path, home: Home) -> None:
    call("git", "tag", "clauderon/fix", cwd=repo)
    whole_life(open_session(repo, home))


def test_replace_refs_of_the_users_do_not_reach_what_is_carried(repo: Path, home: Home) -> None:
    call("git", "commit", "--quiet", "--allow-empty", "-m", "Replaced", cwd=repo)
    other = call("git", "commit-tree", "HEAD^{tree}", "-m", "Instead", cwd=repo)
    call("git", "replace", "HEAD", other, cwd=repo)
    world = open_session(repo, home)
    commit = world.commit("one.txt")
    assert world.sync().new == commit
    call("git", "--no-replace-objects", "fsck", cwd=repo)


def test_a_git_directory_elsewhere(tmp_path: Path, home: Home) -> None:
    repo = make_repo(tmp_path / "repo")
    (repo / ".git").rename(tmp_path / "elsewhere")
    (repo / ".git").write_text(f"gitdir: {tmp_path}/elsewhere\n")
    call("git", "config", "core.worktree", str(repo), cwd=repo)
    world = open_session(repo, home)
    assert world.session.git_dir == str(tmp_path / "elsewhere")
    whole_life(world)


def test_a_linked_git_directory(tmp_path: Path, home: Home) -> None:
    repo = make_repo(tmp_path / "repo")
    (repo / ".git").rename(tmp_path / "elsewhere")
    (repo / ".git").symlink_to(tmp_path / "elsewhere")
    whole_life(open_session(repo, home))


def test_linked_objects_work_and_linked_packs_are_refused(tmp_path: Path, home: Home) -> None:
    repo = make_repo(tmp_path / "repo")
    (repo / ".git/objects").rename(tmp_path / "objects")
    (repo / ".git/objects").symlink_to(tmp_path / "objects")
    world = open_session(repo, home)
    assert git.repository_read(repo, world.environ).objects == (tmp_path / "objects",)
    whole_life(world)
    (tmp_path / "objects/pack").rename(tmp_path / "pack")
    (tmp_path / "objects/pack").symlink_to(tmp_path / "pack")
    with pytest.raises(UsageError, match="is a link"):
        git.repository_read(repo, world.environ)
