"""The Makefile of docs/make.md, and a project that uses it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.standins.engine import Engine

DOCS = Path(__file__).resolve().parents[2] / "docs" / "make.md"
COUNT = 10

# The agent's work: a file of its own, and a line in a log that shows how often the work was done.
PROMPT = """\
echo 'agent {number} at work'
sleep 3
echo {number} >work-{number}.txt
git add work-{number}.txt
git commit -q -m 'Work {number}'
"""
# The project's tests: prompt 7's work does not pass.
RUN_TESTS = """\
echo run >>/clauderon/home/gate-runs
for file in work-*.txt; do
    [ -e "$file" ] || exit 1
    [ "$(cat "$file")" != 07 ] || { echo 'seven is not allowed' >&2; exit 1; }
done
"""
AGENT = """\
[general]
default_agent = "scripted"
[agents.scripted]
command = ["sh", "-c", "exec sleep infinity"]
print_command = ["sh", "{prompt_file}"]
"""


def example() -> str:
    """The Makefile of the documentation, as it is printed there."""
    match = re.search(r"```make\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert match is not None
    return match[1]


def make(engine: Engine, place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "-k", "-j10", *words],
        cwd=place,
        env=engine.environ,
        capture_output=True,
        text=True,
        check=False,
    )


RULES = Path(__file__).resolve().parents[2] / "clauderon" / "share" / "clauderon.mk"


def run_make(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *words], cwd=place, capture_output=True, text=True, check=False)


def program(stand_in: Path, body: str) -> None:
    """In place of the stand-in's program: `body` is shell, and does not write its words down."""
    (stand_in.parent / "program").write_text(f"#!/bin/sh\n{body}\n")
