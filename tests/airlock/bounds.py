"""What is large, and what is at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from clauderon.errors import ClauderonError
from tests.airlock.world import World

MIB = 1 << 20
# Two git processes, and directories to look at; not seconds.
AT_ONCE_S = 0.6


def git_dir(world: World) -> Path:
    return world.repo / ".git"


def timed(call: Callable[[], object]) -> float:
    start = time.monotonic()
    with pytest.raises(ClauderonError):
        call()
    return time.monotonic() - start
