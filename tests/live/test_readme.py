"""The README's commands, as they stand there, run by a shell on a real engine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.standins.engine import DEBIAN, Engine
from tests.standins.repository import git

pytestmark = [pytest.mark.live, pytest.mark.slow]

README = Path(__file__).resolve().parents[2] / "README.md"
# What the README's reader has and this test has not: an image's name, a program inside it, somebody to answer.
STANDS_FOR = {"rust:1.85": DEBIAN, "make test": "ls src", "delete NAME": "delete --yes NAME"}
# They take the terminal over, or stay, and are tried elsewhere.
ELSEWHERE = ("clauderon attach", "clauderon top", "clauderon dashboard")


def block(heading: str) -> list[str]:
    """The lines of the first shell block below a heading, without comments."""
    section = README.read_text().split(f"\n## {heading}\n")[1]
    lines = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)[0].splitlines()
    return [line.split("   #")[0].strip() for line in lines if line.strip()]


def shell(engine: Engine, repo: Path, script: str) -> subprocess.CompletedProcess[str]:
    programs = engine.root / "bin"
    programs.mkdir(exist_ok=True)
    program = programs / "clauderon"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m clauderon "$@"\n')
    program.chmod(0o755)
    environ = {**engine.environ, "PATH": f"{programs}:{engine.environ['PATH']}"}
    return subprocess.run(
        ["bash", "-ec", script], cwd=repo, env=environ, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.fixture
def repo(engine: Engine) -> Path:
    engine.scripted(image=DEBIAN, docker='pull_policy = "never"')
    made = engine.repo()
    (made / "task.md").write_text("echo done > done.txt; git add done.txt; git commit -qm 'Be done'\n")
    return made


def test_everyday_use(engine: Engine, repo: Path) -> None:
    lines = block("Everyday use")
    assert sum(line.startswith("clauderon ") for line in lines) == len(lines) >= 10
    name = ""
    for line in lines:
        if line.startswith(ELSEWHERE):
            continue
        for theirs, ours in STANDS_FOR.items():
            line = line.replace(theirs, ours)
        done = shell(engine, repo, line.replace("NAME", name))
        assert done.returncode == 0, f"{line}: {done.stderr}"
        if line.startswith("clauderon create") and "--print" not in line:
            name = done.stdout.split()[0]
            assert engine.cli.ok("status", name, "--json").json["data"]["state"] == "running"
            git_inside = "hostname > $(hostname).txt; git add .; git commit -qm 'Add more'"
            engine.docker("exec", "-w", "/workspace", f"clauderon-{name}", "sh", "-c", git_inside)
    assert "Add more" in git("log", "--format=%s", cwd=repo)


def test_from_scripts(engine: Engine, repo: Path) -> None:
    engine.configure(
        '[general]\ndefault_agent = "brief"\n[agents.brief]\n'
        'command = ["sh", "-c", "git commit -q --allow-empty -m Brief"]\n',
        image=DEBIAN,
        docker='pull_policy = "never"',
    )
    script = "\n".join(block("From scripts and Makefiles"))
    done = shell(engine, repo, f"{script}\ngit log -1 --format=%s\nclauderon_newest")
    assert done.returncode == 0, done.stderr
    branch_tip, newest = done.stdout.splitlines()[-2:]
    assert branch_tip == "Brief"
    assert newest == engine.cli.ok("list", "--names").text.strip()
    assert git("log", "-1", "--format=%s", cwd=repo) == "Brief\n"
