"""Fixtures of the airlock's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from clauderon.paths import Home
from tests.airlock.world import World, open_session


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
