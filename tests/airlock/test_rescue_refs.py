"""Names for what a rescue keeps: never one that is there already."""

from __future__ import annotations

from pathlib import Path

import pytest

from clauderon.airlock import rescuing
from clauderon.paths import Home
from tests.airlock.world import World, open_session

RESCUE = "refs/clauderon/rescue/fix"


def test_an_earlier_sessions_rescue_of_the_same_name_stays(repo: Path, home: Home) -> None:
    kept = []
    for number in range(3):
        world = open_session(repo, home, session_id=str(number) * 12)
        kept.append(world.commit(f"{number}.txt"))
        world.write("dirty.txt", str(number))
        world.delete()
    refs = world.refs()
    assert set(refs) == {RESCUE, f"{RESCUE}+2", f"{RESCUE}+3"}
    for number, ref in enumerate(sorted(refs)):
        assert world.show(ref, "dirty.txt") == str(number)
        assert world.host("rev-parse", f"{ref}^") == kept[number]


def test_very_many_refs_end_under_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rescuing, "_PARENTS", 20)
    tree = world.inside("rev-parse", "HEAD^{tree}")
    commits = [world.inside("commit-tree", tree, "-m", str(number)) for number in range(90)]
    for number, commit in enumerate(commits):
        (world.private / f"refs/heads/b{number}").write_text(f"{commit}\n")
    own = world.commit()
    assert world.delete() == (RESCUE, f"{RESCUE}+more")
    assert set(commits) <= set(world.host("rev-list", f"{RESCUE}+more").split())
    assert "heads/b17" in world.host("log", "--format=%b", f"{RESCUE}+more")
    assert world.refs()[RESCUE] == own


def test_refs_whose_names_cannot_stand_beside_each_other_are_all_kept(world: World) -> None:
    tree = world.inside("rev-parse", "HEAD^{tree}")
    names = [
        "refs/heads/a",
        "refs/heads/a/b",
        "refs/heads/ü",
        "refs/heads/ö",
        "refs/heads/" + "x" * 200,
        "refs/odd/z",
    ]
    commits = [world.inside("commit-tree", tree, "-m", name) for name in names]
    lines = "".join(f"{commit} {name}\n" for commit, name in zip(commits, names, strict=True))
    (world.private / "packed-refs").write_text(lines)
    refs = world.delete()
    assert len(refs) == len(names)
    assert set(commits) == set(world.refs().values())


def test_a_ref_git_refuses_does_not_cost_the_others(world: World) -> None:
    """One branch with a tree that `git fsck` refuses beside honest ones and uncommitted work."""
    good = world.commit("good.txt")
    world.inside("branch", "good")
    blob = world.inside("hash-object", "-w", "--stdin", stdin='[submodule "a"]\n\tpath = a\n\turl = -evil\n')
    tree = world.inside("mktree", stdin=f"100644 blob {blob}\t.gitmodules\n")
    bad = world.inside("commit-tree", tree, "-p", good, "-m", "bad")
    world.inside("branch", "bad", bad)
    world.write("dirty.txt")
    ref, directory = world.rescue()
    assert world.show(ref, "dirty.txt") == "text"
    assert good in world.host("rev-list", ref).split()
    assert bad in (world.side.unrescued).read_text()
    world.close()
    assert (Path(directory) / "inside/refs/heads/bad").read_text().strip() == bad
