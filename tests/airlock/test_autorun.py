"""What a branch brings that runs by itself once it is in a checkout: said by `diff` and `merge`, before it is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from clauderon import airlock
from clauderon.airlock.autorun import Autorun, autorun_said, brings
from clauderon.airlock.changed import compared
from clauderon.errors import BringsAutorun
from clauderon.git.environment import environment, offline
from tests.airlock.world import World


def brought_since(world: World, base: str) -> tuple[Autorun, ...]:
    """What the session's branch brings that runs by itself, beside `base`."""
    common_dir, env = Path(world.session.git_dir), offline(environment(world.environ))
    with compared(common_dir, base, world.branch, env) as changed:
        return brings(common_dir, changed, env=env)


@pytest.mark.parametrize(
    ("path", "before", "after", "is_said"),
    [
        ("package.json", "{}", '{"scripts": {"postinstall": "x"}}', True),
        ("package.json", '{"scripts": {"test": "a"}}', '{"scripts": {"test": "b"}}', False),
        ("a/package.json", '{"version": "1"}', '{"version": "2"}', False),
        ("package.json", "{}", '{"simple-git-hooks": {"pre-commit": "x"}}', True),
        ("package.json", "{}", '{"scripts": {"prepare": "x"},}', True),
        ("package.json", "{}", '\ufeff{"scripts": {"install": "x"}}', True),
        ("package.json", "{}", "[" * 100_000, True),
        ("package.json", "{}", '{"a": "' + "x" * (1 << 20) + '"}', True),
        ("composer.json", "{}", '{"scripts": {"post-install-cmd": "x"}}', True),
        ("pyproject.toml", "", '[build-system]\nbuild-backend = "x"\nbackend-path = ["."]\n', True),
        ("pyproject.toml", "", '[tool.pytest.ini_options]\naddopts = "-p evil"\n', True),
        ("pyproject.toml", "", '[project]\nname = "x"\n', False),
        ("pyproject.toml", "", "[project\n", True),
        ("Cargo.toml", '[package]\nname = "x"\n', '[package]\nname = "x"\nbuild = "src/evil.rs"\n', True),
        ("Cargo.toml", '[package]\nname = "x"\n', '[package]\nname = "y"\n', False),
        (".gitattributes", "", "*.txt text eol=lf\n", False),
        (".gitattributes", "", "*.txt text filter=lfs\n", True),
        ("sub/.gitattributes", "", "[attr]x merge=evil\n", True),
        ("sub/.gitattributes", "", "*\tdiff=evil\n", True),
    ],
)
def test_some_files_are_said_for_what_they_say(
    world: World, path: str, before: str, after: str, is_said: bool
) -> None:
    """Seen to fail when contents were not read."""
    world.commit(path, before)
    world.sync()
    base = world.tip()
    world.commit(path, after)
    world.sync()
    assert [one.path for one in brought_since(world, base)] == ([path] if is_said else [])


def test_what_is_removed_runs_no_more(world: World) -> None:
    world.commit(".envrc")
    world.sync()
    base = world.tip()
    world.inside("rm", "--quiet", ".envrc")
    world.commit("x")
    world.sync()
    assert not brought_since(world, base)


def test_a_diff_says_it_of_uncommitted_files_too(world: World) -> None:
    world.write(".envrc", "x")
    world.write("docs/HEAD", "ref: refs/heads/main\n")
    world.write("docs/objects/x")
    world.write("docs/refs/x")
    found = airlock.diff(world.home, world.session, world.environ)
    assert [one.path for one in found.autorun] == [".envrc"]
    assert found.planted == ("docs",)


def test_a_merge_says_it_or_refuses_before_anything_is_touched(world: World) -> None:
    """Seen to merge with `refuse_autorun` ignored."""
    world.commit(".envrc")
    world.sync()
    before = world.host("rev-parse", "HEAD")
    with pytest.raises(BringsAutorun, match=r"brings what runs by itself: \.envrc") as caught:
        world.merge(refuse_autorun=True)
    assert caught.value.exit_status == 7
    assert world.host("rev-parse", "HEAD") == before
    assert not (world.repo / ".envrc").exists()
    assert [one.path for one in world.merge().autorun] == [".envrc"]


def test_names_in_the_sentence_drive_no_terminal(world: World) -> None:
    world.commit("\x1b[8m\u202e/.envrc")
    world.sync()
    text = autorun_said("fix", world.merge().autorun)
    assert text.isprintable()
    assert "\\x1b[8m\\u202e/.envrc" in text


def test_hooks_where_the_user_keeps_them_are_said(world: World) -> None:
    world.host("config", "core.hooksPath", "./tools//hooks")
    world.commit("tools/hooks/pre-push")
    world.sync()
    found = airlock.diff(world.home, world.session, world.environ).autorun
    assert [one.path for one in found] == ["tools/hooks/pre-push"]
    assert [one.path for one in world.merge().autorun] == ["tools/hooks/pre-push"]
