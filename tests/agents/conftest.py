"""What the agents' tests share: agents, a session's row, and the model API's stand-in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clauderon.agents import binary, registry
from clauderon.agents.image import ImageFacts
from clauderon.config.builtin_agents import BUILTIN_AGENTS
from clauderon.config.schema import Agent, Config
from clauderon.paths import Home
from clauderon.record import Session
from tests.agents.fetching import CLAUDE, FACTS, Ensure, Told
from tests.agents.inside import CONVERSATION, SHELLS, Container
from tests.agents.sources import Source, served


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


@pytest.fixture
def told() -> list[Told]:
    return []


@pytest.fixture
def channel() -> Iterator[Source]:
    with served(Source()) as source:
        yield source


@pytest.fixture
def ensure(home: Home, channel: Source, told: list[Told], tmp_path: Path) -> Ensure:
    """`binary.ensure` with the channel of the test, and no npm."""
    environ = {"PATH": str(tmp_path / "no-npm"), "HOME": str(tmp_path), "CLAUDERON_RELEASES_URL": channel.url}

    def call(agent: Agent = CLAUDE, facts: ImageFacts = FACTS, **changes: object) -> Path:
        options = {"environ": environ, "progress": lambda *facts: told.append(Told(*facts)), **changes}
        return binary.ensure(home, agent, facts, **options)  # type: ignore[arg-type]

    return call
