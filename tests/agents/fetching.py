"""A channel and a registry of the test's own, and what is fetched from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from clauderon.agents.image import ImageFacts
from clauderon.config.schema import Agent

FACTS = ImageFacts(arch="x64", libc="glibc")
CLAUDE = Agent(name="claude")
BINARY = bytes(range(256)) * 20_000  # 5 MB: several reads

Ensure = Callable[..., Path]


class Told(NamedTuple):
    done: float | None
    total: float | None
    text: str
