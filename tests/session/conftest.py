"""Fixtures of the sessions' tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clauderon.config.schema import Config
from clauderon.paths import Home
from clauderon.session.context import Context
from clauderon.store import Store
from tests.session.given_stage import Stage
from tests.session.stand_ins import Engine, Said


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def context(home: Home, said: Said, engine: Engine) -> Iterator[Context]:
    """A home, a database, the default configuration, and a docker that answers as the test tells it."""
    with Store.open(home) as store:
        yield Context(home, Config(), {"PATH": "/usr/local/bin:/usr/bin:/bin"}, engine.docker, store, said)
