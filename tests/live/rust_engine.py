"""Fixtures of the tests that build Rust: an engine with the image, and a project with what it fetches."""

from __future__ import annotations

import fcntl
import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.standins.engine import Engine
from tests.standins.rust import World

IMAGES = Path(__file__).resolve().parent.parent.parent / "scripts" / "images"
# A download of 150 MB, and unpacking it; once a machine.
IMAGE_TIMEOUT_S = 420


@pytest.fixture
def rust(engine: Engine) -> Engine:
    """An engine with the image, which is made when it is first asked for, by one test at a time."""
    lock = Path(tempfile.gettempdir()) / f"clauderon-test-rust-{os.getuid()}.lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        subprocess.run([IMAGES, "rust"], env=engine.environ, check=True, timeout=IMAGE_TIMEOUT_S)
    return engine


@pytest.fixture
def world(rust: Engine) -> World:
    made = World.made(rust.root / "world", rust.prefix)
    made.project(rust.root / "repo")
    return made


def begin(rust: Engine, word: str, repo: str = "repo") -> None:
    """A session with the world mounted."""
    rust.create(word, "--volume", f"{rust.root}/world:/world:ro", repo=repo)
