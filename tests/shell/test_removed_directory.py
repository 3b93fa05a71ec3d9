"""A current directory that was removed: who does not need one works, who does says so."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from clauderon.paths import Home
from tests.standins.cli import Answer, Cli


def nowhere(cli: Cli, argv: Sequence[str], **env: str) -> Answer:
    """The command line in a directory that its shell has removed."""
    script = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'
    words = ["sh", "-c", script, "sh", *cli.command(*argv)]
    done = subprocess.run(words, cwd=cli.cwd, env=cli.environment(env), capture_output=True, check=False)
    return Answer(tuple(argv), done.returncode, done.stdout, done.stderr)


@pytest.fixture(autouse=True)
def nothing_there(home: Home, tmp_path: Path) -> None:
    """A docker that has nothing."""
    program = tmp_path / "engine"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    home.config.write_text(f'[docker]\ncommand = "{program}"\n')


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("status s1", 3),
        ("start s1", 3),
        ("delete s1", 3),
        ("exec s1 true", 125),
        ("wait s1", 125),
        ("reconcile --dry-run", 0),
    ],
)
def test_a_command_that_needs_no_directory_works_without_one(cli: Cli, line: str, status: int) -> None:
    answer = nowhere(cli, line.split(), CLAUDERON_PROXY_PORT="3031")
    assert answer.status == status, repr(answer)
    assert "bug" not in answer.error


def test_the_doctor_looks_at_everything_without_one(cli: Cli) -> None:
    answer = nowhere(cli, ["doctor", "--json"])
    assert answer.status in (0, 1), repr(answer)  # what else is wrong with this machine is not asked
    assert {row["check"]: row["outcome"] for row in answer.json["data"]}["git"] == "ok"


@pytest.mark.parametrize(
    ("line", "env", "what"),
    [
        ("create --prompt x", {}, "create"),
        ("create --repo . --prompt x", {}, "--repo ."),
        ("create --repo {repo} --prompt x --volume ./data:/data", {}, "--volume"),
        ("list", {"CLAUDERON_HOME": "state"}, "home state"),
    ],
)
def test_a_command_that_needs_one_says_that_it_was_removed(
    cli: Cli, repo: Path, line: str, env: dict[str, str], what: str
) -> None:
    answer = nowhere(cli, shlex.split(line.format(repo=repo)), **env)
    assert (answer.status, answer.error) == (
        2,
        f"clauderon: {what}: the current directory was removed\nhint: cd\n",
    ), repr(answer)


@pytest.mark.parametrize("door", ["run", "stream"])
def test_a_child_that_is_told_of_no_directory_starts_at_the_root(tmp_path: Path, door: str) -> None:
    program = (
        "import os, sys; from clauderon import proc\n"
        "os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')\n"
        "said = []; env = {'PATH': '/usr/bin:/bin'}\n"
        "if sys.argv[1] == 'run': said.append(proc.run(['pwd'], env=env).text)\n"
        "else: proc.stream(['pwd'], env=env, on_stdout=said.append)\n"
        "print(*said, end='')\n"
    )
    words = [sys.executable, "-P", "-c", program, door]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "/\n"), done.stderr


@pytest.mark.parametrize("command", ["list", "path home", "env nosuch"])
def test_an_empty_home_is_none(cli: Cli, command: str) -> None:
    answer = cli(*command.split(), env={"HOME": "", "CLAUDERON_HOME": ""})
    assert answer.status == 2, repr(answer)
    assert "clauderon: home: neither CLAUDERON_HOME nor HOME is set\n" in answer.error
    assert not (cli.cwd / ".clauderon").exists()
