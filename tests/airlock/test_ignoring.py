"""Ignored files at a delete: named, and kept when that is asked for."""

from __future__ import annotations

import pytest

from clauderon import airlock
from clauderon.airlock.ignoring import said
from tests.airlock.world import World


@pytest.fixture
def ignoring(world: World) -> World:
    world.commit(".gitignore", "*.log\n/build/\n.env\n")
    world.sync()
    world.write(".env", "TOKEN=not-a-real-one\n")
    world.write("build/deep/a.o")
    world.write("build/b.o")
    world.write(".claude.json", "{}")
    world.write(".clauderon/uploads/x")
    return world


def test_they_are_counted_and_named(ignoring: World) -> None:
    found = airlock.ignored(ignoring.home, ignoring.session, ignoring.environ)
    assert found == "3 ignored files (.env, build/)"


def test_they_are_not_kept_unasked(ignoring: World) -> None:
    (ref,) = ignoring.rescue()
    assert ignoring.host("ls-tree", "-r", "--name-only", ref).splitlines().count(".env") == 0


def test_they_are_kept_when_asked_for(ignoring: World) -> None:
    airlock.keep_ignored(ignoring.home, ignoring.session)
    refs = ignoring.delete()
    assert ignoring.show(refs[0], ".env") == "TOKEN=not-a-real-one"
    assert ignoring.show(refs[0], "build/deep/a.o") == "text"
    assert ".claude.json" not in ignoring.host("ls-tree", "-r", "--name-only", refs[0])


def test_only_ignored_files_are_work_too_when_asked_for(ignoring: World) -> None:
    ignoring.merge()
    assert ignoring.rescue() == ()
    airlock.keep_ignored(ignoring.home, ignoring.session)
    (ref,) = ignoring.rescue()
    assert ignoring.show(ref, ".env") == "TOKEN=not-a-real-one"


def test_a_session_without_any_says_nothing(world: World) -> None:
    assert airlock.ignored(world.home, world.session, world.environ) == ""


def test_names_are_safe_to_print_and_few() -> None:
    assert said([]) == ""
    assert said([b"a\x1b[2J"]) == "1 ignored file (a\\x1b[2J)"
    assert said([b"a", b"b/1", b"b/2", b"c", b"d"]) == "5 ignored files (a, b/, c, ...)"
