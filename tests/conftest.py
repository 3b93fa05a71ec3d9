"""Guards that every test has without asking, and the fixtures the rooms share.

No test touches the real home, the network, an engine or a credential unless it is marked `live`; what slips
through fails the test that did it, not a person's machine.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from clauderon.paths import Home
from tests.standins import guards
from tests.standins.cli import Cli
from tests.standins.engine import Engine, engine_host, live_environment
from tests.standins.repository import make_repo

_REAL = dict(os.environ)

# No deadline: a busy machine is no bug. In CI the same inputs at every run; new ones are for people to find.
hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("ci" if _REAL.get("CI") else "here")


def pytest_configure(config: pytest.Config) -> None:
    # Ignored in a background run, and by every child of it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    guards.install(real_home=guards.real_home(_REAL))


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("live") and engine_host(_REAL) is None:
        pytest.skip("no Docker engine answers")


@pytest.fixture(autouse=True)
def hermetic(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Home, PATH, environment and network of one test; see `tests/standins/guards.py`."""
    is_live = request.node.get_closest_marker("live") is not None
    home = tmp_path / "user"
    home.mkdir()
    kept = live_environment(_REAL) if is_live else {}
    for name in list(os.environ):
        if not name.startswith(("PYTEST_", "COV_")):
            monkeypatch.delenv(name)
    bin_dir = tmp_path / "guard-bin"
    for name, value in {**guards.environment(home, bin_dir, live=is_live), **kept}.items():
        monkeypatch.setenv(name, value)
    with guards.active(live=is_live):
        yield
    guards.check_marks(bin_dir)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty state directory, made; CLAUDERON_HOME names it already."""
    found = Home.from_environ(os.environ)
    found.create()
    return found


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A git repository with one commit on `main`; every object id in it is the same at every run."""
    return make_repo(tmp_path / "repo")


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Runs `clauderon` as a child process with the test's environment."""
    return Cli(cwd=tmp_path)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A real engine, with a home, ports, a network and names of this test's own; takes away what it made."""
    with Engine.opened(tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def module_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """`engine`, shared by the tests of one module."""
    with Engine.opened(tmp_path_factory.mktemp("engine"), environ=_REAL) as opened:
        yield opened


@pytest.fixture
def git(tmp_path: Path) -> Callable[..., str]:
    """`git(*argv, cwd=...)`: the real git's stdout; raises on a failure."""

    def call(*argv: str, cwd: Path) -> str:
        done = subprocess.run(["git", *argv], cwd=cwd, check=True, capture_output=True, text=True)
        return done.stdout

    return call
