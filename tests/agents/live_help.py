"""What the live tests of agents share: one cache of programs, and waiting."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.standins.engine import Engine


def share_agents(engine: Engine) -> None:
    """One cache of agents for every test run of this user: they are 200 MB each."""
    cache = Path(tempfile.gettempdir()) / f"clauderon-test-agents-{os.getuid()}"
    cache.mkdir(mode=0o700, exist_ok=True)
    engine.home.agents.symlink_to(cache)


def log_of(repository: Path, branch: str) -> list[str]:
    done = subprocess.run(
        ["git", "log", "--format=%s", branch], cwd=repository, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def wait_until(condition: Callable[[], bool], what: str, *, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come about"
        time.sleep(0.1)
