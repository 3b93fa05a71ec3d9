"""git by hand in a session's worktree, which the agent has written: nothing of the person's configuration runs there.

Each was seen to run the agent's program with `byhand.add` doing nothing.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from clauderon.paths import Home
from tests.airlock.world import World, call, make_repo, open_session

KEYS = {
    "filter.x.clean": "sh tool.sh",
    "filter.x.smudge": "sh tool.sh",
    'filter.a "b\\c.clean': "sh tool.sh",
    "filter.y.process": "sh tool.sh",
    "filter.y.required": "true",
    "diff.d.textconv": "sh tool.sh",
    "diff.e.command": "sh tool.sh",
    "merge.m.driver": "sh tool.sh",
    "core.fsmonitor": "sh tool.sh",
    "core.hooksPath": "hooks",
}
COMMANDS = [
    ("status",),
    ("diff",),
    ("diff", "HEAD"),
    ("log", "-p", "--all"),
    ("add", "--all"),
    ("stash",),
    ("checkout", "--", "."),
    ("show", "HEAD"),
]


@pytest.fixture
def planted(repo: Path, home: Home, canary: Path) -> World:
    """A person's configuration with programs that lead into the tree, and an agent that writes what they find."""
    call("git", "config", "extensions.worktreeConfig", "true", cwd=repo)
    for key, value in KEYS.items():
        call("git", "config", key, value, cwd=repo)
    world = open_session(repo, home)
    world.commit("one.x", "1\n")
    world.sync()
    world.write("tool.sh", f": > '{canary}'\ncat\n")
    for name in ("pre-commit", "post-checkout", "post-index-change", "reference-transaction"):
        world.write(f"hooks/{name}", f"#!/bin/sh\n: > '{canary}'\n").chmod(0o755)
    world.write(".gitattributes", "*.x filter=x diff=d\n*.y filter=y diff=e\n*.md filter=x merge=m diff=e\n")
    world.write("one.x", "2\n")
    world.write("two.y", "2\n")
    world.write("README.md", "2\n")
    canary.unlink(missing_ok=True)
    return world


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_git_by_hand_in_the_worktree_runs_nothing(
    planted: World, canary: Path, command: tuple[str, ...]
) -> None:
    done = subprocess.run(["git", *command], cwd=planted.worktree, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not canary.exists()
    if command[0] == "diff":
        assert b"\n-1\n+2\n" in done.stdout


def test_a_filter_that_comes_later_is_off_from_the_next_look_on(planted: World, canary: Path) -> None:
    planted.host("config", "filter.late.clean", "sh tool.sh")
    planted.write(".gitattributes", "* filter=late\n")
    planted.state()
    planted.host("status", cwd=planted.worktree)
    assert not canary.exists()


def test_the_persons_own_checkout_and_worktrees_keep_their_programs(planted: World, tmp_path: Path) -> None:
    planted.host("-c", "core.hooksPath=/dev/null", "worktree", "add", "--quiet", str(tmp_path / "mine"))
    for place in (planted.repo, tmp_path / "mine"):
        assert planted.host("config", "filter.x.clean", cwd=place) == "sh tool.sh"
        assert planted.host("config", "core.hooksPath", cwd=place) == "hooks"


def test_without_the_extension_git_reads_as_ever_and_with_it_at_once(repo: Path, home: Home) -> None:
    call("git", "config", "filter.x.clean", "false", cwd=repo)
    before = (repo / ".git/config").read_bytes()
    world = open_session(repo, home)
    assert (repo / ".git/config").read_bytes() == before
    assert world.host("config", "filter.x.clean", cwd=world.worktree) == "false"
    world.host("config", "extensions.worktreeConfig", "true")
    assert world.host("config", "filter.x.clean", cwd=world.worktree) == ""
    world.close()
    assert list((repo / ".git").rglob("config.worktree")) == []


@pytest.mark.parametrize("name", ["a[b", "with space", 'qu"ote', "star*", "back\\slash", "quest?"])
def test_a_repository_is_known_by_any_path(tmp_path: Path, home: Home, name: str) -> None:
    repo = make_repo(tmp_path / name)
    call("git", "config", "extensions.worktreeConfig", "true", cwd=repo)
    call("git", "config", "filter.x.clean", "false", cwd=repo)
    world = open_session(repo, home)
    assert world.host("config", "filter.x.clean", cwd=world.worktree) == ""
