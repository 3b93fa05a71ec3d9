"""What the agents' tests share: agents, a session's row, and the model API's stand-in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clauderon.agents import registry
from clauderon.config.builtin_agents import BUILTIN_AGENTS
from clauderon.config.schema import Agent, Config
from clauderon.record import Session
from tests.agents.inside import CONVERSATION, SHELLS, Container


@pytest.fixture
def agent() -> Callable[[str], Agent]:
    config = Config(agents=BUILTIN_AGENTS)
    return lambda name: registry.find(config, name)


@pytest.fixture
def session() -> Callable[..., Session]:
    """A row with everything at its default but what is given."""

    def make(**changes: Any) -> Session:
        values: dict[str, Any] = {
            "id": "0123456789ab",
            "name": "fix-bug",
            "state": "running",
            "step": "",
            "port": 3100,
            "repo": "/repo",
            "git_dir": "/repo/.git",
            "branch": "clauderon/fix-bug",
            "base": "0" * 40,
            "agent": "claude",
            "image": "debian:stable",
            "created_at": 0.0,
            "updated_at": 0.0,
            "conversation": CONVERSATION,
            "user": "1000:1000",
        }
        return Session(**{**values, **changes})

    return make


@pytest.fixture(params=SHELLS)
def container(request: pytest.FixtureRequest, tmp_path: Path) -> Container:
    words = SHELLS[request.param]
    found = shutil.which(words[0])
    if found is None:
        pytest.skip(f"{words[0]} is not installed")
    root = tmp_path / "inside"
    root.mkdir()
    return Container(root, [found, *words[1:]], os.environ["PATH"])
