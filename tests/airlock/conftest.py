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
