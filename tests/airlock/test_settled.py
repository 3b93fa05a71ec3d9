"""Right after `create` git inside believes the index; and an edit, however soon and alike, is seen by every git."""

from __future__ import annotations

import os
import stat
import struct
from pathlib import Path

import pytest

from clauderon.airlock import settled
from clauderon.airlock.marked import walk
from clauderon.paths import Home
from tests.airlock.world import World, call, open_session

FORMATS = [("sha1", 2), ("sha1", 4), ("sha256", 2), ("sha256", 4)]


def stored(world: World) -> int:
    """How many objects the session has of its own."""
    return int(world.inside("count-objects").split()[0])


def many(tmp_path: Path, object_format: str = "sha1", count: int = 60) -> Path:
    repo = tmp_path / "many"
    call(
        "git",
        "init",
        "--quiet",
        "--initial-branch=main",
        f"--object-format={object_format}",
        str(repo),
        cwd=tmp_path,
    )
    for number in range(count):
        file = repo / f"part{number % 7}/file{number}.txt"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"{number:04}\n")
    (repo / "link").symlink_to("part0/file0.txt")
    call("git", "add", "--all", cwd=repo)
    call("git", "commit", "--quiet", "--message", "Many", cwd=repo)
    return repo


@pytest.mark.parametrize(("object_format", "version"), FORMATS)
def test_no_file_is_as_young_as_the_index(
    tmp_path: Path, home: Home, object_format: str, version: int
) -> None:
    """Neither inside nor outside; without `settle` nearly every file is."""
    repo = many(tmp_path, object_format)
    call("git", "config", "index.version", str(version), cwd=repo)
    world = open_session(repo, home, base="main")
    for index in (world.private / "index", repo / ".git/worktrees/fix/index"):
        content = index.read_bytes()
        written = int(index.stat().st_mtime)
        walked = list(walk(content, len(world.session.base) // 2))
        assert len(walked) == 61
        assert all(struct.unpack_from(">L", content, offset + 8)[0] < written for offset, *_ in walked)
    world.inside("add", "--all")
    assert stored(world) == 0
    world.write("part1/file1.txt", "9999\n")
    world.inside("commit", "--quiet", "--all", "--message", "One line")
    assert stored(world) == 4  # the file, its directory, the top, the commit


@pytest.mark.parametrize(("object_format", "version"), FORMATS)
def test_an_edit_of_the_same_size_at_once_is_seen_inside_and_by_us(
    tmp_path: Path, home: Home, object_format: str, version: int
) -> None:
    """The danger of an index that is believed. Fails where the files keep their times and the index is set a second
    ahead instead: git without nanoseconds then sees none of these edits."""
    repo = many(tmp_path, object_format)
    call("git", "config", "index.version", str(version), cwd=repo)
    world = open_session(repo, home, base="main")
    for number in range(60):
        world.write(f"part{number % 7}/file{number}.txt", f"{number + 100:04}\n")
    listed = world.inside("status", "--porcelain").splitlines()
    assert len(listed) == 60
    assert world.state().modified == 60
    world.inside("add", "--all")
    world.inside("commit", "--quiet", "--message", "All")
    assert world.inside("show", "HEAD:part3/file3.txt") == "0103"


def test_an_edit_in_the_instant_after_the_index_was_written_is_seen(
    tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As soon as anybody can, so in the same tick of the file system's clock."""
    real = settled.settle

    def then_edit(admin: Path, place: Path, oid_bytes: int) -> None:
        real(admin, place, oid_bytes)
        for number in range(60):
            with open(place / f"part{number % 7}/file{number}.txt", "r+") as file:
                file.write(f"{number + 100:04}\n")

    monkeypatch.setattr(settled, "settle", then_edit)
    world = open_session(many(tmp_path), home, base="main")
    assert world.state().modified == 60
    assert len(world.inside("diff-files", "--name-only").splitlines()) == 60


def test_a_file_that_was_edited_before_is_left_as_it_is(
    tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what is just as git has left it may be called unchanged."""
    real = settled.settle

    def edit_first(admin: Path, place: Path, oid_bytes: int) -> None:
        (place / "part0/file0.txt").write_text("9999\n")
        (place / "part1/file1.txt").unlink()
        (place / "part2/file2.txt").unlink()
        (place / "part2/file2.txt").mkdir()
        real(admin, place, oid_bytes)

    monkeypatch.setattr(settled, "settle", edit_first)
    world = open_session(many(tmp_path), home, base="main")
    changed = world.inside("status", "--porcelain", "--untracked-files=no").splitlines()
    assert sorted(line.split()[-1] for line in changed) == [f"part{n}/file{n}.txt" for n in range(3)]


def test_files_are_at_most_a_second_or_two_older_and_links_are_not_followed(
    tmp_path: Path, home: Home
) -> None:
    outside = tmp_path / "outside"
    outside.write_text("mine\n")
    os.utime(outside, (1_000_000_000, 1_000_000_000))
    repo = many(tmp_path)
    (repo / "away").symlink_to(outside)
    call("git", "add", "--all", cwd=repo)
    call("git", "commit", "--quiet", "--message", "A link that leads out", cwd=repo)
    world = open_session(repo, home, base="main")
    assert outside.stat().st_mtime == 1_000_000_000
    for path in world.worktree.rglob("*"):
        found = path.lstat()
        if stat.S_ISREG(found.st_mode) and not path.name.startswith(".git"):
            assert 0 <= found.st_ctime - found.st_mtime < 2.1, path


def test_an_index_that_another_git_holds_or_that_is_damaged_stays_as_it_is(
    tmp_path: Path, home: Home
) -> None:
    world = open_session(many(tmp_path), home, base="main")
    admin = world.repo / ".git/worktrees/fix"
    index = admin / "index"
    before = index.read_bytes(), index.stat().st_mtime_ns
    (admin / "index.lock").write_bytes(b"")
    settled.settle(admin, world.worktree, 20)
    assert (index.read_bytes(), index.stat().st_mtime_ns) == before
    (admin / "index.lock").unlink()
    for damaged in (b"", b"DIRC", b"DIRC\0\0\0\2\0\0\xff\xff" + b"x" * 70, before[0][:200]):
        index.write_bytes(damaged)
        settled.settle(admin, world.worktree, 20)
        assert index.read_bytes() == damaged
        assert not (admin / "index.lock").exists()


def test_zeros_in_the_place_of_the_hash_stay(tmp_path: Path, home: Home) -> None:
    world = open_session(many(tmp_path), home, base="main")
    admin = world.repo / ".git/worktrees/fix"
    content = (admin / "index").read_bytes()
    (admin / "index").write_bytes(content[:-20] + bytes(20))
    settled.settle(admin, world.worktree, 20)
    assert (admin / "index").read_bytes()[-20:] == bytes(20)
