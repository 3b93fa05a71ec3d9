"""What only a log inside knows, or nothing at all: found before a session goes, and told from what went on elsewhere."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from clauderon.airlock import dropped, rescuing
from tests.airlock.forging import commit_of, disk_bytes, loose, point
from tests.airlock.world import World, call, make_repo

RESCUE = "refs/clauderon/rescue/fix"


def kept(world: World) -> dict[str, str]:
    """What a delete keeps, by label."""
    world.delete()
    return {name.removeprefix(RESCUE): oid for name, oid in world.refs(RESCUE).items()} | {
        name.removeprefix(RESCUE): oid for name, oid in world.refs("refs/clauderon/rescue").items()
    }


def test_a_commit_made_detached_and_left_is_kept(world: World) -> None:
    """Seen to fail when what nothing names was not looked for."""
    world.inside("checkout", "--quiet", "--detach")
    commit = world.commit("detached.txt")
    world.inside("checkout", "--quiet", "-")
    assert kept(world) == {"+dropped/0": commit}


def test_what_a_reset_within_the_same_second_drops_is_kept(world: World) -> None:
    """Nothing was synced in between, so no former tip tells of it.

    Seen to fail when what nothing names was not looked for.
    """
    world.commit("first.txt")
    second = world.commit("second.txt")
    world.inside("reset", "--quiet", "--hard", "HEAD~1")
    first = world.inside("rev-parse", "HEAD")
    assert kept(world) == {"": first, "+dropped/0": second}


def test_twins_of_one_second_and_one_message_are_told_apart(world: World) -> None:
    """Seen to fail when what nothing names was not looked for."""
    first = world.commit("a.txt", "a\n", message="x")
    world.inside("reset", "--quiet", "--hard", world.session.base)
    second = world.commit("b.txt", "b\n", message="x")
    assert kept(world) == {"": second, "+dropped/0": first}


@pytest.mark.parametrize("how", ["drop", "clear"])
def test_stashes_that_were_dropped_are_kept_with_all_their_parts(world: World, how: str) -> None:
    """Seen to fail when what nothing names was not looked for."""
    world.write("README.md", "staged\n")
    world.inside("add", "README.md")
    world.write("untracked.txt", "untracked\n")
    world.inside("stash", "--quiet", "--include-untracked")
    stash = world.inside("rev-parse", "stash@{0}")
    world.inside("stash", how)
    assert kept(world) == {"+dropped/0": stash}
    assert world.show(f"{RESCUE}+dropped/0^3", "untracked.txt") == "untracked"


def test_a_commit_that_only_takes_files_away_is_work_too(world: World) -> None:
    """Seen to fail when what nothing names was not looked for."""
    world.inside("rm", "--quiet", "README.md")
    world.inside("commit", "--quiet", "--message", "Without it")
    commit = world.inside("rev-parse", "HEAD")
    world.inside("reset", "--quiet", "--hard", "HEAD~")
    assert kept(world) == {"+dropped/0": commit}


def test_a_branch_that_was_deleted_is_kept(world: World) -> None:
    """Seen to fail when what nothing names was not looked for."""
    world.inside("checkout", "--quiet", "-b", "other")
    world.commit("one.txt")
    commit = world.commit("two.txt")
    world.inside("checkout", "--quiet", "-")
    world.inside("branch", "--quiet", "-D", "other")
    assert kept(world) == {"+dropped/0": commit}


def test_without_any_log_they_are_kept_as_well(world: World) -> None:
    """Seen to fail when what nothing names was not looked for."""
    world.commit("first.txt")
    second = world.commit("second.txt")
    world.inside("reset", "--quiet", "--hard", "HEAD~1")
    shutil.rmtree(world.private / "logs")
    assert kept(world)["+dropped/0"] == second


def test_what_gc_inside_packed_is_still_found(world: World) -> None:
    """Seen to fail when what nothing names was not looked for."""
    world.inside("checkout", "--quiet", "--detach")
    commit = world.commit("detached.txt")
    world.inside("checkout", "--quiet", "-")
    world.inside("gc", "--quiet")
    assert kept(world) == {"+dropped/0": commit}


# What went on in another form is let go.


def test_what_an_amend_or_a_reword_replaced_is_let_go(world: World) -> None:
    world.commit("one.txt", "one\n")
    world.write("one.txt", "two\n")
    world.inside("commit", "--quiet", "--all", "--amend", "--message", "Amended")
    world.inside("commit", "--quiet", "--amend", "--message", "Reworded")
    assert kept(world) == {"": world.host("rev-parse", RESCUE)}


def test_what_a_rebase_replaced_is_let_go(world: World) -> None:
    world.commit("one.txt")
    world.commit("two.txt")
    world.inside("checkout", "--quiet", "-b", "onto", world.session.base)
    onto = world.commit("three.txt")
    world.inside("checkout", "--quiet", world.session.branch)
    world.inside("rebase", "--quiet", "onto")
    tip = world.inside("rev-parse", "HEAD")
    assert kept(world) == {"": tip, "+heads/onto": onto}


def test_a_stash_that_was_popped_is_let_go(world: World) -> None:
    world.write("README.md", "stashed\n")
    world.write("new.txt")
    world.inside("stash", "--quiet", "--include-untracked")
    world.inside("stash", "pop", "--quiet")
    assert list(kept(world)) == [""]


def test_a_stash_popped_and_committed_and_merged_is_let_go(world: World) -> None:
    world.write("README.md", "stashed\n")
    world.inside("stash", "--quiet")
    world.inside("stash", "pop", "--quiet")
    world.inside("commit", "--quiet", "--all", "--message", "Stashed")
    world.sync()
    world.host("merge", "--quiet", world.session.branch)
    assert kept(world) == {}


def test_a_commit_picked_elsewhere_is_let_go(world: World) -> None:
    world.inside("checkout", "--quiet", "--detach")
    picked = world.commit("one.txt")
    world.inside("checkout", "--quiet", "-")
    world.commit("two.txt")
    world.inside("cherry-pick", picked)
    assert list(kept(world)) == [""]


def test_what_was_fetched_is_not_taken_for_work(world: World, tmp_path: Path) -> None:
    """Also where the remote has moved on to something else meanwhile, and where no ref says it was fetched."""
    far = make_repo(tmp_path / "far", files={"far.txt": "far\n"})
    world.inside("remote", "add", "far", str(far))
    for number in range(3):
        call("git", "commit", "--quiet", "--allow-empty", "--amend", "-m", str(number), cwd=far)
        world.inside("fetch", "--quiet", "far")
    call("git", "commit", "--quiet", "--allow-empty", "--amend", "-m", "last", cwd=far)
    world.inside("fetch", "--quiet", str(far), "HEAD")
    assert kept(world) == {}


# Bounds, and what a container might make of them.


def test_a_forged_log_loses_nothing_but_what_it_names(world: World) -> None:
    """Seen to fail when what nothing names was not looked for."""
    commit = world.commit("one.txt")
    world.inside("reset", "--quiet", "--hard", "HEAD~1")
    log = world.private / "logs/HEAD"
    log.write_bytes(
        b"\xff\0 \n" * 100 + b"%b %b x\tcommit (amend)\n" % (b"z" * 40, commit.encode()) + b"a" * 100_000
    )
    assert kept(world) == {"+dropped/0": commit}


def test_a_log_without_end_is_not_read(world: World) -> None:
    """Seen to fail when what nothing names was not looked for."""
    commit = world.commit("one.txt")
    world.inside("reset", "--quiet", "--hard", "HEAD~1")
    with open(world.private / "logs/HEAD", "wb") as file:
        file.truncate(1 << 30)
    assert kept(world) == {"+dropped/0": commit}


def test_more_than_are_looked_at_are_moved_aside(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen to fail when what nothing names was not looked for."""
    monkeypatch.setattr(dropped, "MOST", 5)
    tree = world.inside("rev-parse", "HEAD^{tree}")
    for number in range(10):
        commit_of(world, tree, world.session.base, message=str(number))
    (directory,) = world.delete()
    assert "more than 5 commits that nothing names" in (Path(directory) / "reasons").read_text()


def test_more_than_are_judged_are_kept_by_one_ref(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen to fail when what nothing names was not looked for."""
    monkeypatch.setattr(dropped, "MOST_JUDGED", 3)
    monkeypatch.setattr(rescuing, "_REFS_ONE_BY_ONE", 5)
    tree = world.inside("rev-parse", "HEAD^{tree}")
    # The tree is one that is kept anyway: judged, they are let go.
    found = {commit_of(world, tree, world.session.base, message=str(number)) for number in range(12)}
    (ref,) = world.delete()
    assert ref == f"{RESCUE}+more"
    parents = set(world.host("rev-parse", f"{ref}^@").split())
    assert parents < found
    assert len(parents) == 9


def test_a_bomb_that_nothing_names_is_moved_aside_not_carried(world: World) -> None:
    """Seen to fail when what nothing names was not looked for."""
    oid = loose(world.private, "blob", b"x")
    for mode in ("100644", *["40000"] * 9):
        content = b"".join(mode.encode() + b" %02d\0" % n + bytes.fromhex(oid) for n in range(20))
        oid = loose(world.private, "tree", content)
    commit_of(world, oid, world.session.base)
    before = disk_bytes(world.repo / ".git")
    (directory,) = world.delete()
    assert "paths when checked out" in (Path(directory) / "reasons").read_text()
    assert disk_bytes(world.repo / ".git") - before < 1 << 20


def test_one_that_cannot_be_carried_does_not_cost_the_others(world: World) -> None:
    """Seen to fail when what nothing names was not looked for."""
    good = commit_of(world, world.inside("rev-parse", "HEAD^{tree}"), world.session.base, message="good")
    blob = loose(world.private, "blob", b"y")
    other = commit_of(world, loose(world.private, "tree", b"100644 z\0" + bytes.fromhex(blob)), good)
    evil = loose(world.private, "tree", b"100644 .git\0" + bytes.fromhex(blob))
    bad = commit_of(world, evil, world.session.base, message="bad")
    ref, directory = world.delete()
    assert world.refs()[ref] == other
    assert bad in (Path(directory) / "reasons").read_text()


def test_many_refs_that_are_all_refused_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the bound, some processes for each of a hundred thousand."""
    monkeypatch.setattr(rescuing, "_MOST_REFUSALS", 5)
    blob = loose(world.private, "blob", b"x")
    tree = loose(world.private, "tree", b"100644 .git\0" + bytes.fromhex(blob))
    for number in range(20):
        oid = commit_of(world, tree, world.session.base, message=str(number))
        (world.private / f"refs/heads/b{number}").write_text(f"{oid}\n")
    point(world, world.commit("good.txt"))
    *_, directory = world.delete()
    assert "after 5 refusals" in (Path(directory) / "reasons").read_text()
