"""Fixtures of the tests of docs/make.md."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.shell.make_example import AGENT, COUNT, PROMPT, RULES, RUN_TESTS, example
from tests.standins.engine import Engine


@pytest.fixture
def project(engine: Engine, tmp_path: Path, git: Callable[..., str]) -> Path:
    """A repository with the documentation's Makefile and ten prompts, whose names nobody else has."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    engine.configure(AGENT)
    place = tmp_path / "project"
    (place / "prompts").mkdir(parents=True)
    for number in range(1, COUNT + 1):
        file = place / "prompts" / f"{engine.name(f'{number:02}')}.md"
        file.write_text(PROMPT.format(number=f"{number:02}"))
    (place / "Makefile").write_text(example())
    (place / "run-tests").write_text(RUN_TESTS)
    git("init", "-q", "-b", "main", cwd=place)
    git("config", "user.name", "Tester", cwd=place)
    git("config", "user.email", "tester@example.com", cwd=place)
    git("add", ".", cwd=place)
    git("commit", "-q", "-m", "Begin", cwd=place)
    return place


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """A project whose path is odd, with a program that writes down its words, a line a call, in place of ours."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    place = tmp_path / 'my $(touch pwned) `touch pwned` it\'s "$HOME"'
    (place / "prompts").mkdir(parents=True)
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\n{{ printf '%s|' \"$@\"; echo; }} >>'{tmp_path}/calls'\n")
    program.chmod(0o755)
    (place / "Makefile").write_text(f"CLAUDERON = {program}\ninclude {RULES}\n")
    return place
