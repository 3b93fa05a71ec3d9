"""Trees that become too much when they are checked out, and those that only look so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.airlock import tree_size
from clauderon.errors import BackendError, Refused
from clauderon.git.environment import environment, untrusting
from tests.airlock.forging import commit_of, entry, loose, point
from tests.airlock.world import World

# A little that becomes a lot.


def layered(world: World, layers: int, width: int, name: bytes = b"%02d") -> str:
    """A tree of `width` ** `layers` paths, in `layers` small objects."""
    oid = loose(world.private, "blob", b"x")
    mode = "100644"
    for _ in range(layers):
        oid = loose(world.private, "tree", b"".join(entry(mode, name % n, oid) for n in range(width)))
        mode = "40000"
    return oid


def test_a_tree_that_spreads_without_end_is_refused(world: World) -> None:
    point(world, commit_of(world, layered(world, 10, 20), world.session.base))
    with pytest.raises(Refused, match=r"1\.02e\+13 paths"):
        world.sync()
    assert world.tip() == world.session.base
    refs = world.rescue()
    assert refs == (str(world.home.root / "rescue/fix-0123456789ab"),)


def test_long_names_and_deep_nesting_are_refused(world: World) -> None:
    point(world, commit_of(world, layered(world, 3000, 1), world.session.base))
    # By us, or by git itself from 2.43 on (core.maxTreeDepth).
    with pytest.raises((Refused, BackendError)):
        world.sync()
    point(world, commit_of(world, layered(world, 500, 2, b"%d" + b"n" * 4000), world.session.base))
    with pytest.raises(Refused):
        world.sync()


def test_a_large_but_honest_tree_is_carried_and_measured_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        world.write(f"d{number % 5}/e{number % 7}/{number}.txt", str(number))
    world.commit("d0/first.txt")
    world.sync()
    assert world.side.expanse.read_text().count("\n") > 20
    monkeypatch.setattr(tree_size, "parse_tree", counted := Counted(tree_size.parse_tree))
    commit = world.commit("d0/second.txt")
    assert world.sync().new == commit
    # The top and d0; everything else is remembered.
    assert counted.count == 2


class Counted:
    def __init__(self, real: Callable[..., object]) -> None:
        self.real, self.count = real, 0

    def __call__(self, *args: object) -> object:
        self.count += 1
        return self.real(*args)


@given(st.lists(st.tuples(st.sampled_from(["40000", "100644", "120000", "160000"]), st.binary(min_size=1))))
def test_trees_are_parsed_by_their_entries(entries: list[tuple[str, bytes]]) -> None:
    named = [(mode, name.replace(b"\0", b"_").replace(b"/", b"_")) for mode, name in entries]
    content = b"".join(entry(mode, name, "ab" * 20) for mode, name in named)
    expected = [(len(name), "ab" * 20 if mode == "40000" else None) for mode, name in named]
    assert list(tree_size.parse_tree(content, 20)) == expected


@given(st.binary())
def test_any_tree_can_be_parsed(content: bytes) -> None:
    list(tree_size.parse_tree(content, 20))


def test_a_tree_that_was_measured_before_is_still_shown_to_whoever_judges_it(world: World) -> None:
    """Seen to fail where what is remembered was not read: a sync that was refused was carried the next time."""
    world.commit("a/b.txt")
    world.sync()
    common_dir, oid = Path(world.session.git_dir), world.host("rev-parse", f"{world.branch}:a").strip()
    commit = world.tip()
    for _ in range(2):
        seen: list[tuple[str, str]] = []
        tree_size.refuse_endless(
            common_dir,
            [(oid, 40)],
            env=untrusting(environment(world.environ)),
            what="sync fix",
            cache=world.side.expanse,
            also=[commit],
            seen=lambda found, seen=seen: seen.append(found[:2]),  # type: ignore[misc]
        )
        assert seen == [(oid, "tree"), (commit, "commit")]
