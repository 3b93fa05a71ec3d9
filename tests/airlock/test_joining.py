"""The tree of a merge, computed beside the checkout: a conflict leaves everything as it was."""

from __future__ import annotations

import pytest

from clauderon.airlock import joining, merging
from clauderon.errors import Conflict
from tests.airlock.checkouts import unchanged
from tests.airlock.world import World


@pytest.mark.parametrize("squash", [False, True])
@pytest.mark.parametrize("before_2_38", [False, True])
def test_a_conflict_leaves_the_checkout_as_it_was(
    world: World, squash: bool, before_2_38: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if before_2_38:
        monkeypatch.setattr(merging, "join", joining._join_before_2_38)
    world.commit("README.md", "theirs\n")
    world.commit("harmless.txt")
    world.sync()
    (world.repo / "README.md").write_text("ours\n")
    world.host("commit", "--quiet", "--all", "-m", "Ours")
    (world.repo / "src/hello.txt").write_text("my own change\n")
    before = unchanged(world)
    with pytest.raises(Conflict, match=r"both sides changed README\.md") as caught:
        world.merge(squash=squash)
    assert caught.value.hint == f"git -C '{world.repo}' merge clauderon/fix"
    assert unchanged(world) == before
    assert not (world.repo / "harmless.txt").exists()
    assert not (world.repo / ".git/MERGE_HEAD").exists()


def test_names_in_a_conflict_are_safe_to_print(world: World) -> None:
    name = "a\x1b[31m\nb"
    world.commit(name, "theirs\n")
    world.sync()
    (world.repo / name).write_text("ours\n")
    world.host("add", "--all")
    world.host("commit", "--quiet", "-m", "Ours")
    with pytest.raises(Conflict) as caught:
        world.merge()
    assert str(caught.value).replace("\n", "").isprintable()
