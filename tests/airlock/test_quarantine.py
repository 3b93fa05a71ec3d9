"""Objects of the private directory: copied only if they are what their names say, and with a limit."""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import zlib
from pathlib import Path

import pytest

from clauderon.airlock import quarantine
from clauderon.errors import BackendError, ClauderonError, Refused
from tests.airlock.forging import commit_of, loose, point
from tests.airlock.world import World, call, make_repo

SECRET = "the host's secret 0001"

# Reading elsewhere: the container must not get at objects or files of the host that it was not given.


@pytest.fixture
def treasure(tmp_path: Path) -> Path:
    """Another repository on the host, with a commit that holds a secret."""
    return make_repo(tmp_path / "treasure", files={"secret.txt": SECRET})


def stolen(world: World, tree: str) -> bool:
    """Whether a sync of a commit with `tree` makes the secret's objects the user's (and so the container's)."""
    point(world, commit_of(world, tree, world.session.base))
    with pytest.raises(ClauderonError):
        world.sync()
    known = world.host("cat-file", "--batch-check", stdin=f"{tree}\n")
    return "missing" not in known


@pytest.mark.parametrize("how", ["alternates", "environment"])
def test_alternates_written_inside_reach_no_other_repository(world: World, treasure: Path, how: str) -> None:
    tree = call("git", "rev-parse", "HEAD^{tree}", cwd=treasure)
    name = "alternates" if how == "alternates" else "http-alternates"
    (world.private / "objects/info" / name).write_text(f"{treasure}/.git/objects\n")
    assert not stolen(world, tree)


def test_a_link_in_place_of_the_object_directory_is_not_followed(world: World, treasure: Path) -> None:
    tree = call("git", "rev-parse", "HEAD^{tree}", cwd=treasure)
    commit = commit_of(world, tree, world.session.base)
    shutil.copytree(world.private / "objects", treasure / ".git/objects", dirs_exist_ok=True)
    shutil.rmtree(world.private / "objects")
    (world.private / "objects").symlink_to(treasure / ".git/objects")
    point(world, commit)
    with pytest.raises(BackendError):
        world.sync()
    assert world.tip() == world.session.base


def test_a_link_in_place_of_a_fan_directory_is_not_followed(world: World, treasure: Path) -> None:
    tree = call("git", "rev-parse", "HEAD^{tree}", cwd=treasure)
    for fan in (treasure / ".git/objects").glob("??"):
        if not (world.private / "objects" / fan.name).exists():
            (world.private / "objects" / fan.name).symlink_to(fan)
    assert not stolen(world, tree)


def test_links_in_place_of_loose_objects_and_packs_are_not_followed(world: World, treasure: Path) -> None:
    tree = call("git", "rev-parse", "HEAD^{tree}", cwd=treasure)
    for file in (treasure / ".git/objects").glob("??/*"):
        target = world.private / "objects" / file.parent.name / file.name
        target.parent.mkdir(exist_ok=True)
        target.symlink_to(file)
    call("git", "repack", "-adq", cwd=treasure)
    for file in (treasure / ".git/objects/pack").iterdir():
        (world.private / "objects/pack" / file.name).symlink_to(file)
    assert not stolen(world, tree)


# Objects that lie.


def test_an_object_under_another_ones_name_is_not_taken(world: World) -> None:
    """Content that claims to be a blob the user has: neither the user's copy nor the branch may become it."""
    blob = world.host("rev-parse", "HEAD:README.md")
    loose(world.private, "blob", b"not that at all\n", name=blob)
    commit = world.commit("new.txt")
    world.sync()
    assert world.host("show", f"{commit}:README.md") == "# A small repository"
    assert not (world.side.objects / blob[:2] / blob[2:]).exists()


def test_a_commit_that_is_not_what_its_name_says_is_not_taken(world: World) -> None:
    forged = loose(world.private, "commit", b"tree " + b"0" * 40 + b"\n\nx\n", name="ab" * 20)
    point(world, forged)
    with pytest.raises(BackendError):
        world.sync()
    assert world.tip() == world.session.base


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not zlib at all",
        zlib.compress(b"blob 5\0four"),
        zlib.compress(b"blob 3\0four"),
        zlib.compress(b"blob 4\0four") + b"trailing",
        zlib.compress(b"blob 04\0four"),
        zlib.compress(b"blob -4\0four"),
        zlib.compress(b"blob 4 \0four"),
        zlib.compress(b"secret 4\0four"),
        zlib.compress(b"blob 99999999999999999999\0four"),
        zlib.compress(b"b" * 100_000),
        zlib.compress(b"blob 4\0four")[:-2],
    ],
)
def test_a_damaged_loose_object_stays_in_the_container(world: World, data: bytes) -> None:
    oid = hashlib.sha1(b"blob 4\0four", usedforsecurity=False).hexdigest()
    path = world.private / "objects" / oid[:2] / oid[2:]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    commit = world.commit()
    assert world.sync().new == commit
    assert not (world.side.objects / oid[:2] / oid[2:]).exists()
    assert not list(world.side.objects.rglob("tmp_*"))


def test_a_small_file_that_inflates_without_end_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds = quarantine.Bounds(inflated=1 << 20)
    monkeypatch.setattr(quarantine, "Bounds", lambda: bounds)
    loose(world.private, "blob", b"\0" * (8 << 20), level=9)
    world.commit()
    with pytest.raises(Refused, match="GiB together"):
        world.sync()
    assert world.tip() == world.session.base


def test_a_huge_commit_is_refused_before_it_is_inflated(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds = quarantine.Bounds(structure=1 << 16)
    monkeypatch.setattr(quarantine, "Bounds", lambda: bounds)
    loose(world.private, "commit", b"\0" * (1 << 20))
    world.commit()
    with pytest.raises(Refused, match="a commit of"):
        world.sync()


def test_a_sparse_file_of_any_size_is_left_out_unread(world: World) -> None:
    commit = world.commit()
    path = world.private / "objects/pack" / f"pack-{'a' * 40}.pack"
    path.touch()
    os.truncate(path, 1 << 42)
    path.with_suffix(".idx").write_bytes(b"")
    result = world.sync()
    assert result.new == commit
    assert "holes" in result.notes[0]
    assert not list(world.side.objects.rglob("tmp_*"))


def test_too_many_files_are_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    bounds = quarantine.Bounds(files=50)
    monkeypatch.setattr(quarantine, "Bounds", lambda: bounds)
    world.commit()
    for number in range(60):
        loose(world.private, "blob", b"%d" % number)
    with pytest.raises(Refused, match="more than 50"):
        world.sync()


def test_a_forged_pack_index_is_never_read(world: World, treasure: Path) -> None:
    """An index that puts the name of a user's object on other content."""
    commit = world.commit()
    world.inside("repack", "-adq")
    (pack,) = (world.private / "objects/pack").glob("*.pack")
    index = pack.with_suffix(".idx")
    index.chmod(0o644)
    forged = bytearray(index.read_bytes())
    forged[1032:1052] = b"\xee" * 20
    index.write_bytes(forged)
    assert world.sync().new == commit
    world.host("fsck", "--strict")
    del treasure


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text"])
def test_a_damaged_pack_is_left_out_and_said(world: World, damage: str) -> None:
    world.commit("one.txt")
    world.inside("repack", "-adq")
    (pack,) = (world.private / "objects/pack").glob("*.pack")
    pack.chmod(0o644)
    content = bytearray(pack.read_bytes())
    content[40] ^= 0xFF
    damaged = {"cut": bytes(content[:50]), "flipped": bytes(content), "empty": b"", "text": b"\x1b[31mPACK"}
    pack.write_bytes(damaged[damage])
    with pytest.raises(BackendError) as caught:
        world.sync()
    assert caught.value.detail.replace("\n", "").isprintable()
    assert world.tip() == world.session.base
    assert {path.name for path in (world.side.objects / "pack").iterdir()} == set()


def test_a_pack_under_another_name_is_taken_for_what_is_in_it(world: World) -> None:
    commit = world.commit()
    world.inside("repack", "-adq")
    for file in list((world.private / "objects/pack").iterdir()):
        file.rename(file.with_name(f"pack-{'0' * 40}{file.suffix}"))
    assert world.sync().new == commit


def test_a_pack_that_claims_billions_of_objects_is_left_out(world: World) -> None:
    commit = world.commit()
    content = b"PACK" + struct.pack(">II", 2, 0xFFFFFFFF)
    pack = world.private / "objects/pack" / f"pack-{'a' * 40}.pack"
    pack.write_bytes(content + hashlib.sha1(content, usedforsecurity=False).digest())
    pack.with_suffix(".idx").write_bytes(b"")
    result = world.sync()
    assert result.new == commit
    assert any("damaged" in note for note in result.notes)


def copies(world: World) -> set[str]:
    found = (path.relative_to(world.side.objects) for path in world.side.objects.rglob("*") if path.is_file())
    return {str(path).replace("/", "") for path in found}


def stored_inside(world: World, text: str) -> str:
    """A blob that git inside stores once more, as it does where it cannot touch the user's."""
    oid = call("git", "hash-object", "-w", "--stdin", cwd=world.worktree, stdin=text, env=alone(world))
    assert (world.private / "objects" / oid[:2] / oid[2:]).exists()
    return oid


def alone(world: World) -> dict[str, str]:
    return {"GIT_DIR": str(world.private), "GIT_ALTERNATE_OBJECT_DIRECTORIES": ""}


def test_what_the_repository_has_is_not_copied(world: World) -> None:
    """A hundred blobs that are there already, as after an `add --renormalize` on objects that are borrowed
    read-only. Without the question to the user's repository each is copied and hashed."""
    for number in range(100):
        world.host("hash-object", "-w", "--stdin", stdin=f"{number}\n")
    known = {stored_inside(world, f"{number}\n") for number in range(100)}
    commit = world.commit("new.txt", "new\n")
    assert world.sync().new == commit
    assert not copies(world) & known
    new = world.inside("rev-parse", "HEAD:new.txt")
    assert copies(world) == {commit, world.inside("rev-parse", "HEAD^{tree}")}
    assert world.host("cat-file", "-t", new) == "blob"  # carried, and copied no longer


def test_a_blob_that_the_user_has_lost_is_copied_again(world: World) -> None:
    world.commit("one.txt", "one\n")
    world.sync()
    one = world.inside("rev-parse", "HEAD:one.txt")
    world.commit("two.txt", "two\n")
    world.sync()
    for name in world.refs("refs"):
        if name.startswith(("refs/heads/clauderon", "refs/clauderon")) and not name.endswith("/base"):
            world.host("update-ref", "-d", name)
    world.side.synced.unlink()
    (world.repo / ".git/objects" / one[:2] / one[2:]).unlink()
    commit = world.commit("three.txt", "three\n")
    assert world.sync().new == commit
    assert world.show(commit, "one.txt") == "one"


def test_under_the_name_of_what_the_user_has_nothing_of_the_containers_is_read(world: World) -> None:
    oid = world.host("hash-object", "-w", "--stdin", stdin="theirs\n")
    forged = world.private / "objects" / oid[:2] / oid[2:]
    forged.parent.mkdir(exist_ok=True)
    forged.write_bytes(b"not an object")
    commit = world.commit("same.txt", "same\n")
    assert world.sync().new == commit
    assert oid not in copies(world)
    assert world.host("cat-file", "blob", oid) == "theirs"
