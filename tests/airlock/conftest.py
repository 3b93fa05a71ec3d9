"""Fixtures of the airlock's tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from clauderon.paths import Home
from tests.airlock.submodule_world import Sub, initialised
from tests.airlock.world import World, call, make_repo, open_session


@pytest.fixture
def world(repo: Path, home: Home) -> World:
    """A session right after `create`."""
    return open_session(repo, home)


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A file that exists once somebody has run the payload."""
    return tmp_path / "canary"


@pytest.fixture
def payload(tmp_path: Path, canary: Path) -> str:
    """The path of a program that a hostile configuration names."""
    program = tmp_path / "payload"
    program.write_text(f"#!/bin/sh\n: > '{canary}'\nexec cat\n")
    program.chmod(0o755)
    return str(program)


@pytest.fixture
def far(tmp_path: Path) -> Path:
    return make_repo(tmp_path / "far", files={"a.txt": "a\n", "b/c.txt": "c\n", ".gitignore": "*.log\n"})


@pytest.fixture
def sub(repo: Path, home: Home, far: Path) -> Sub:
    """A session on a repository with a submodule, `mod`, initialised inside."""
    allow = ("-c", "protocol.file.allow=always")
    call("git", *allow, "submodule", "--quiet", "add", far.as_uri(), "mod", cwd=repo)
    call("git", "commit", "--quiet", "--message", "A submodule", cwd=repo)
    call("git", "submodule", "--quiet", "deinit", "--all", cwd=repo)
    shutil.rmtree(repo / ".git/modules")
    return initialised(open_session(repo, home), far)
