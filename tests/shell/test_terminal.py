"""What a terminal gets and a pipe does not; what a reader that went away gets; and what an instant answer imports."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from clauderon.cli import app
from clauderon.paths import Home
from tests.standins.cli import Cli
from tests.standins.engine import BUSYBOX, Engine
from tests.standins.terminal import on_a_terminal

ROOT = Path(__file__).resolve().parents[2]
ESC = "\x1b["


@pytest.mark.usefixtures("home")
def test_colour_is_for_terminals(cli: Cli) -> None:
    argv = cli.command("config", "env")
    xterm = {**cli.environment(), "TERM": "xterm"}
    assert ESC in on_a_terminal(argv, environ=xterm, stdout=True).shown
    assert ESC not in on_a_terminal(argv, environ={**xterm, "NO_COLOR": "1"}, stdout=True).shown
    assert ESC not in on_a_terminal(argv, environ={**xterm, "TERM": "dumb"}, stdout=True).shown
    # The terminal on stderr says nothing about stdout.
    assert ESC not in on_a_terminal(argv, environ=xterm).stdout


@pytest.mark.live
@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_watching_redraws_on_a_terminal_that_can_and_ends_with_ctrl_c(engine: Engine, term: str) -> None:
    engine.scripted(image=BUSYBOX)
    engine.repo()
    name = engine.create("w").text.strip()
    seen = on_a_terminal(
        engine.cli.command("list", "--watch"),
        environ={**engine.environ, "TERM": term},
        stdout=True,
        interrupt=lambda shown: shown.count(name) >= 4,  # in two drawings: its name and its branch
    )
    assert seen.status == 130
    assert (f"{ESC}2J" in seen.shown) == (term == "xterm")
    assert "Traceback" not in seen.shown


LINES = ["--version", "--help", "config show", "config env --json", "config paths --format tsv", "path sh",
         "shell-init bash", "env nosuch", "create --help", "doctor"]  # fmt: skip


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("line", LINES)
def test_a_reader_that_has_gone_ends_the_command_as_sigpipe_does(cli: Cli, line: str) -> None:
    if line == "doctor":
        (Path(os.environ["CLAUDERON_HOME"]) / "config.toml").write_text(
            '[docker]\ncommand = "/nonexistent/docker"\n'
        )
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        cli.command(*line.split()), stdout=writer, stderr=subprocess.PIPE, cwd=cli.cwd, env=cli.environment(),
        check=False,
    )  # fmt: skip
    os.close(writer)
    assert (done.returncode, "Traceback" in done.stderr.decode()) == (141, False), done.stderr


_IMPORTED = """\
import sys
from clauderon.__main__ import main
sys.argv = ["clauderon", *sys.argv[1:]]
main()
sys.stderr.write(",".join(sorted({"typer", "rich", "aiohttp", "plumbum", "sh"} & set(sys.modules))))
"""


@pytest.mark.parametrize(
    "line",
    [
        "--version",
        "--help",
        "create --help",
        "proxy log -h",
        "env nosuch",
        "env --unset",
        "path sh",
        "shell-init bash",
        "__complete status a",
    ],
)
def test_an_instant_answer_imports_nothing_slow(line: str, home: Home) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _IMPORTED, *line.split()], capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines()[-1:] in ([], ["hint: clauderon list"]), done.stderr


def names() -> set[str]:
    return {f"{command.group} {command.name}".strip() for command in app.COMMANDS}


def test_the_contract_is_held_for_every_command() -> None:
    table = re.search(
        r"^COMMANDS='(.*?)'", (ROOT / "bats" / "contract.bats").read_text(), re.MULTILINE | re.DOTALL
    )
    assert table is not None
    assert {word.replace(":", " ") for word in table[1].split()} == names()


# What goes wrong with these is in tests of their own: they say it as an answer, or not through `cli.run`.
NOT_IN_THE_TABLE = {
    "doctor", "env", "events", "path", "shell-init", "proxy status", "config paths", "config env",
}  # fmt: skip


def test_every_other_command_is_in_the_table_of_failures() -> None:
    text = (ROOT / "bats" / "failures.bats").read_text()
    table = re.search(r"<<'TABLE'\n(.*?)\nTABLE", text, re.DOTALL)
    assert table is not None
    found = set()
    for row in table[1].splitlines():
        words = row.partition("|")[0].split()
        found.add(" ".join(words[: 2 if words[0] in app.GROUPS else 1]))
    assert found == names() - NOT_IN_THE_TABLE
