"""A person's own attributes and ignore patterns come along: inside and outside see the same status."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from clauderon.airlock.personal import _content
from clauderon.paths import Home
from tests.airlock.world import World, call, open_session


def user_home() -> Path:
    return Path(os.environ["HOME"])


def in_info(repo: Path, name: str, text: str) -> None:
    """The repository's own, which no commit has."""
    path = repo / ".git/info" / {"attributes": "attributes", "ignore": "exclude"}[name]
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def in_the_configuration(repo: Path, name: str, text: str) -> None:
    (user_home() / f"my-{name}").write_text(text)
    key = {"attributes": "core.attributesFile", "ignore": "core.excludesFile"}[name]
    call("git", "config", "--global", key, f"~/my-{name}", cwd=repo)


def in_the_usual_place(repo: Path, name: str, text: str) -> None:
    path = user_home() / ".config/git" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.rstrip("\n"))


Put = Callable[[Path, str, str], None]
PLACES = [in_info, in_the_configuration, in_the_usual_place]


def statuses(world: World) -> tuple[str, str]:
    words = ("status", "--porcelain", "--ignored", "--untracked-files=all")
    return world.inside(*words), world.host(*words, cwd=world.worktree)


@pytest.mark.parametrize("put", PLACES)
def test_attributes_come_along(repo: Path, home: Home, put: Put) -> None:
    """Seen to fail without `write_personal`: every file was changed inside right after create."""
    put(repo, "attributes", "*.md text eol=crlf\n")
    call("git", "rm", "--quiet", "--cached", "README.md", cwd=repo)
    call("git", "add", "README.md", cwd=repo)
    world = open_session(repo, home)
    for path in world.worktree.rglob("*.*"):
        os.utime(path)
    assert (world.worktree / "README.md").read_bytes().endswith(b"\r\n")
    assert statuses(world) == ("", "")
    assert world.state().dirty == 0


@pytest.mark.parametrize("put", PLACES)
def test_ignore_patterns_come_along(repo: Path, home: Home, put: Put) -> None:
    """Seen to fail without `write_personal`: inside they were untracked, and `git add -A` committed them."""
    put(repo, "ignore", "*.log\n")
    world = open_session(repo, home)
    world.write("debug.log")
    world.write(".claude.json")
    inside, outside = statuses(world)
    assert "!! debug.log" in inside.splitlines()
    assert inside == outside
    world.inside("add", "--all")
    assert world.inside("diff", "--cached", "--name-only") == ""


def test_the_tree_is_stronger_than_the_person_and_weaker_than_info(repo: Path, home: Home) -> None:
    (repo / ".gitattributes").write_text("a.* -text\n")
    (repo / ".gitignore").write_text("!kept.log\n")
    call("git", "add", "--all", cwd=repo)
    call("git", "commit", "--quiet", "-m", "Attributes", cwd=repo)
    in_the_usual_place(repo, "attributes", "* text eol=crlf\n")
    in_the_usual_place(repo, "ignore", "*.log\n")
    in_info(repo, "attributes", "a.info text\n")
    in_info(repo, "ignore", "info.log\n")
    world = open_session(repo, home)
    for name in ("a.txt", "b.txt", "a.info", "kept.log", "other.log", "info.log"):
        world.write(name, "")
    inside, outside = statuses(world)
    assert inside == outside
    for name in ("a.txt", "b.txt", "a.info"):
        asked = ("check-attr", "text", "eol", "--", name)
        assert world.inside(*asked) == world.host(*asked, cwd=world.worktree)


@pytest.mark.parametrize("make", [Path.touch, lambda path: None])
def test_a_file_that_says_nothing_is_none(repo: Path, home: Home, make: Callable[[Path], None]) -> None:
    make(user_home() / "mine")
    call("git", "config", "--global", "core.excludesFile", "~/mine", cwd=repo)
    world = open_session(repo, home)
    assert "excludesFile" not in (world.private / "config").read_text()


def test_what_is_no_file_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert _content(tmp_path / "pipe") == _content(tmp_path) == _content(tmp_path / "nowhere") == b""


def test_a_clauderon_note_in_the_exclude_file_does_not_add_up(repo: Path, home: Home) -> None:
    open_session(repo, home)
    world = open_session(repo, home, name="other", session_id="ba9876543210")
    assert (world.private / "info/exclude").read_text().count("/.claude.json\n") <= 2
