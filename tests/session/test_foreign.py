"""`create` where an agent can write: refused before any git runs there."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from clauderon import proc
from clauderon.errors import ToolMissing
from clauderon.paths import Home
from clauderon.session.foreign import is_foreign
from tests.airlock.world import World, call, open_session
from tests.standins.cli import Cli
from tests.standins.repository import make_repo


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "user/.clauderon")
    home.create()
    return home


@pytest.fixture
def world(tmp_path: Path, home: Home) -> World:
    return open_session(make_repo(tmp_path / "repo"), home)


def plant(directory: Path, canary: Path) -> None:
    """A repository as an agent would make it: whatever git does first in it runs a command."""
    call("git", "init", "--quiet", str(directory), cwd=directory.parent)
    call("git", "commit", "--quiet", "--allow-empty", "-m", "x", cwd=directory)
    command = f"ext::sh -c ':>{canary}'"
    for key, value in (
        ("core.fsmonitor", f": >'{canary}'"),
        ("filter.x.clean", f": >'{canary}'; cat"),
        ("remote.origin.url", command),
        ("remote.origin.promisor", "true"),
        ("extensions.partialClone", "origin"),
        ("protocol.ext.allow", "always"),
    ):
        call("git", "config", key, value, cwd=directory)
    (directory / "a").write_text("a\n")
    call("git", "-c", "core.fsmonitor=false", "add", "a", cwd=directory)
    (directory / ".gitattributes").write_text("* filter=x\n")
    (directory / "a").write_text("b\n")
    canary.unlink(missing_ok=True)


def places(world: World, tmp_path: Path) -> dict[str, Path]:
    link = tmp_path / "link"
    link.symlink_to(world.worktree / "sub")
    return {
        "worktree": world.worktree,
        "below": world.worktree / "sub/deeper",
        "by a link": link,
        "home": world.home.homes / "x",
        "uploads": world.home.uploads / "x",
        "rescued": world.home.root / "rescue/fix-0",
        "private": world.private,
    }


@pytest.mark.parametrize("which", ["worktree", "below", "by a link", "home", "uploads", "rescued", "private"])
@pytest.mark.parametrize("how", ["cwd", "flag", "dry run"])
def test_create_runs_no_git_where_an_agent_can_write(
    world: World, tmp_path: Path, which: str, how: str
) -> None:
    """Seen to run the planted commands (a filter, the remote) with `refuse_foreign` off."""
    (world.worktree / "sub/deeper").mkdir(parents=True)
    place = places(world, tmp_path)[which]
    place.mkdir(parents=True, exist_ok=True)
    canary = tmp_path / "canary"
    if which != "worktree" and which != "private":
        plant(place, canary)
    log = tmp_path / "log"
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "git").write_text(f"#!/bin/sh\necho $PWD $* >>'{log}'\nPATH=${{PATH#*:}} exec git \"$@\"\n")
    (tools / "docker").write_text("#!/bin/sh\nexit 1\n")
    for tool in tools.iterdir():
        tool.chmod(0o755)
    environ = {
        **os.environ,
        "CLAUDERON_HOME": str(world.home.root),
        "PATH": f".:{tools}:{os.environ['PATH']}",
    }
    words = ["create", "--prompt", "x", *(["--dry-run"] if how == "dry run" else [])]
    if how != "cwd":
        words += ["--repo", str(place)]
    answer = Cli(cwd=place if how == "cwd" else tmp_path, environ=environ)(*words)
    assert not canary.exists()
    assert answer.status == 6, answer
    assert "an agent can write there" in answer.error
    assert not canary.exists()
    assert not log.exists()


def test_a_worktree_of_another_home_is_known_by_its_lock(world: World, tmp_path: Path) -> None:
    """Seen to fail when locks were not read."""
    assert is_foreign(world.worktree, [tmp_path / "other"])
    (world.worktree / "sub").mkdir()
    assert is_foreign(world.worktree / "sub", [])


def test_a_place_is_known_by_whatever_path(world: World, tmp_path: Path) -> None:
    """Seen to fail with paths compared as they are written."""
    pointer = tmp_path / "elsewhere"
    pointer.mkdir()
    (pointer / ".git").write_text(f"gitdir: {world.private}\n")
    assert is_foreign(pointer, [world.home.root])
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / ".git").symlink_to(world.private)
    assert is_foreign(linked, [world.home.root])
    if os.geteuid() == 0:
        mounted = tmp_path / "mounted"
        mounted.mkdir()
        if subprocess.run(["mount", "--bind", world.worktree, mounted], check=False).returncode == 0:
            try:
                assert is_foreign(mounted, [world.home.root])
            finally:
                subprocess.run(["umount", mounted], check=True)


def test_a_persons_own_places_are_not_foreign(world: World, tmp_path: Path) -> None:
    call("git", "worktree", "add", "--quiet", "--lock", str(tmp_path / "mine"), cwd=world.repo)
    for place in (world.repo, world.repo / "src", tmp_path / "mine", tmp_path, world.home.root.parent):
        assert not is_foreign(place, [world.home.root])


@pytest.mark.parametrize("path", [".", "", "tools", "./tools", "..:.", "~/bin"])
def test_no_program_is_found_by_a_relative_path(
    tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to run a `docker` of the directory's, with `.` on PATH and the person in an agent's worktree."""
    for place in (tmp_path, tmp_path / "tools", tmp_path / "~/bin"):
        place.mkdir(parents=True, exist_ok=True)
        (place / "prog").write_text("#!/bin/sh\necho here\n")
        (place / "prog").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ToolMissing):
        proc.run(["prog"], env={"PATH": f"{path}:/usr/bin:/bin"})
    shell = proc.run(["sh", "-c", "prog || echo none"], env={"PATH": f"{path}:/usr/bin:/bin"}, cwd=tmp_path)
    assert shell.text == "none\n"
