"""Fixtures of the tests of docker's verbs."""

from __future__ import annotations

from pathlib import Path

import pytest

from clauderon.docker.client import Docker
from tests.proc.conftest import alarm, words
from tests.proc.slow import ENV, STUBBORN

__all__ = ["alarm", "docker", "words"]


@pytest.fixture
def docker(tmp_path: Path) -> Docker:
    """A docker that never answers, and does not listen to signals."""
    program = tmp_path / "docker"
    program.write_text(f"#!/bin/sh\n{STUBBORN}\n")
    program.chmod(0o755)
    return Docker(str(program), "", ENV)
