"""What differs between two commits or trees, asked of git once."""

from __future__ import annotations

from pathlib import Path

import pytest

from clauderon.airlock.changed import Change, Comparison, compared, parse_changes
from clauderon.errors import CommandFailed
from clauderon.git.environment import environment, offline
from tests.airlock.world import World


def whole(world: World, old: str, new: str) -> Comparison:
    """A comparison to its end."""
    with compared(Path(world.session.git_dir), old, new, offline(environment(world.environ))) as found:
        assert found.changes is found.changes and found.trees == found.trees
    return found


def test_files_and_the_directories_above_them_are_told_apart(world: World) -> None:
    world.commit("a/b/c.txt")
    world.commit("src/hello.txt", "changed\n")
    world.inside("rm", "--quiet", "README.md")
    world.commit("x y\n")
    world.sync()
    found = whole(world, world.session.base, world.branch)
    said = {(one.path, one.kind) for one in found.changes}
    files = {("a/b/c.txt", "A"), ("src/hello.txt", "M"), ("README.md", "D"), ("x y\n", "A")}
    assert said == files | {("a", "A"), ("a/b", "A"), ("src", "M")}
    assert {one.path for one in found.changes if one.is_directory} == {"a", "a/b", "src"}
    assert [path for _, path in found.trees] == ["", "a", "a/b", "src"]
    tops = [world.host("rev-parse", f"{world.branch}{path}").strip() for path in ("^{tree}", ":a")]
    assert [oid for oid, _ in found.trees[:2]] == tops


def test_two_trees_without_a_difference_have_their_top_alone(world: World) -> None:
    found = whole(world, world.session.base, world.session.base)
    assert found.changes == () and [path for _, path in found.trees] == [""]


def test_a_removed_directory_is_none_that_the_newer_has() -> None:
    output = b":040000 000000 1111 0000 D\0gone\0:160000 160000 1111 2222 M\0module\0"
    gone, module = parse_changes(output)
    assert gone == Change("gone", "000000", "1111", "0000", "D")
    assert not gone.is_directory and not module.is_directory


def test_what_is_not_there_is_a_failure_and_leaves_no_child(world: World) -> None:
    with pytest.raises(CommandFailed):
        whole(world, world.session.base, "0" * 39 + "1")
