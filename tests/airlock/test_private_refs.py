"""Refs of the private directory, whose every byte may be forged."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from clauderon import airlock
from clauderon.airlock.private_refs import FANS, Inside, fans, has_worktrees
from tests.airlock.world import World

SECRET = "the host's secret 0001"


@pytest.mark.parametrize("place", ["branch", "HEAD", "packed-refs", "refs", "refs/heads"])
def test_a_link_among_the_refs_is_not_followed(world: World, tmp_path: Path, place: str) -> None:
    victim = tmp_path / "victim"
    shutil.copytree(world.private, victim)
    secret = world.host("commit-tree", "HEAD^{tree}", "-m", SECRET)
    (victim / world.branch).write_text(f"{secret}\n")
    (victim / "packed-refs").write_text(f"{secret} {world.branch}\n")
    path = world.private / (world.branch if place == "branch" else place)
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    if place == "packed-refs":
        (world.private / world.branch).unlink()
    path.symlink_to(victim / path.relative_to(world.private))
    assert world.sync().outcome in ("missing", "up-to-date")
    assert world.tip() == world.session.base


def test_a_file_that_is_no_ref_is_not_shown(world: World, tmp_path: Path) -> None:
    """A hard link is a regular file; only what reads as a ref counts, and nothing of it reaches a message."""
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    (world.private / world.branch).unlink()
    (world.private / world.branch).hardlink_to(secret)
    (world.private / "HEAD").unlink()
    (world.private / "HEAD").hardlink_to(secret)
    result = world.sync()
    assert result.outcome == "missing"
    assert SECRET not in repr(result)
    assert SECRET not in repr(world.rescue())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 41,
        b"0" * 40,
        b"ref: " + b"../" * 10 + b"etc/passwd\n",
        b"ref: refs/heads/clauderon/fix\n",
        b"ref: refs/heads/\x1b]0;owned\x07\n",
        b"ref: refs/heads/a..b\n",
        b"g" * 40 + b"\n",
        b"A" * 40 + b"\n",
        b"a" * 64 + b"\n",
        b"a" * 5000,
        b"-" * 40,
        b"--upload-pack=x\n",
        "é".encode() * 20,
    ],
)
def test_a_ref_that_is_no_commit_name_counts_as_absent(world: World, content: bytes) -> None:
    (world.private / world.branch).write_bytes(content)
    (world.private / "HEAD").write_bytes(content)
    result = world.sync()
    assert result.outcome == "missing"
    assert all(note.isprintable() for note in result.notes)


def test_refs_that_name_each_other_end(world: World) -> None:
    (world.private / "refs/heads/a").write_text("ref: refs/heads/b\n")
    (world.private / "refs/heads/b").write_text("ref: refs/heads/a\n")
    (world.private / world.branch).write_text("ref: refs/heads/a\n")
    assert world.sync().outcome == "missing"


def test_forged_packed_refs_lead_nowhere(world: World) -> None:
    (world.private / world.branch).unlink()
    (world.private / "packed-refs").write_bytes(
        b"# pack-refs with: peeled fully-peeled sorted\n^"
        + b"a" * 40
        + b"\n\n \n"
        + b"b" * 40
        + b" ../../HEAD\n"
        b"c" * 40 + b" refs/heads/x\x1b[31m\n" + b"d" * 39 + b" refs/heads/clauderon/fix\n" + b"\xff" * 100
    )
    assert world.sync().outcome == "missing"
    assert world.rescue() == ()


def test_crowds_of_other_names_are_not_even_listed(world: World) -> None:
    for number in range(3000):
        (world.private / "objects" / f"junk{number}").touch()
        (world.private / f"junk{number}").touch()
    commit = world.commit()
    assert world.sync().new == commit


def test_packed_refs_beyond_measure_are_not_read_and_not_forgotten(world: World) -> None:
    world.commit()
    world.sync()
    (world.private / world.branch).unlink()
    with open(world.private / "packed-refs", "wb") as file:
        file.truncate(1 << 30)
    assert world.sync().outcome == "missing"
    *_refs, directory = world.rescue()
    world.close()
    assert "more refs" in (Path(directory) / "reasons").read_text()
    assert (Path(directory) / "inside/packed-refs").stat().st_size == 1 << 30


@pytest.mark.parametrize(
    "line", [b"%b refs/heads/clauderon/fix\n", b"# x\n%b refs/heads/clauderon/fix\n^%b\n"]
)
def test_one_packed_ref_is_found_as_all_of_them_are(world: World, line: bytes) -> None:
    commit = world.commit()
    (world.private / world.branch).unlink()
    oid = commit.encode()
    (world.private / "packed-refs").write_bytes(line % ((oid,) * line.count(b"%b")))
    assert airlock.tip(world.home, world.session) == commit
    (world.private / "packed-refs").write_bytes(b"x" + line % ((oid,) * line.count(b"%b")))
    assert airlock.tip(world.home, world.session) == (None if line.startswith(b"%b") else commit)


def fans_of(world: World) -> list[str]:
    """The directories of loose objects inside, as they are looked for."""
    with Inside.open(world.home, world.session) as inside:
        assert inside is not None
        return fans(inside)


def test_loose_objects_are_looked_for_where_there_are_any_whatever_lies_beside_them(world: World) -> None:
    """Seen to fail where only the names that were listed counted: 1,100 files beside hid a commit."""
    objects = world.private / "objects"
    commit = world.commit()
    assert commit[:2] in fans_of(world) and set(fans_of(world)) <= FANS
    for number in range(1100):
        (objects / f"beside-{number}").touch()
    assert set(fans_of(world)) == FANS
    assert world.sync().new == commit


def test_git_worktrees_inside_are_noticed_and_a_link_in_their_place_is_not_followed(
    world: World, tmp_path: Path
) -> None:
    place, victim = world.private / "worktrees", tmp_path / "victim"
    assert not has_worktrees(world.home, world.session)
    (victim / "one").mkdir(parents=True)
    place.symlink_to(victim)
    assert not has_worktrees(world.home, world.session)
    place.unlink()
    victim.rename(place)
    assert has_worktrees(world.home, world.session)
