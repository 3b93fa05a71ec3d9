"""Whose status a command ends with: ours, or that of what ran in the container; then ours is 125."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from clauderon.cli import app, common
from clauderon.cli import run as cli_run
from clauderon.output import Output
from tests.standins.cli import Cli

OWN = ["attach", "shell", "exec", "wait"]
LINES = {
    "attach": ["attach", "nosuch"],
    "shell": ["shell", "nosuch"],
    "exec": ["exec", "nosuch", "--", "true"],
    "wait": ["wait", "same", "same", "--json"],
    "create": ["create", "--print", "--prompt", "", "--json"],
}


def test_the_commands_that_pass_a_status_on_are_those_of_the_documentation() -> None:
    assert [c.name for c in app.COMMANDS if c.own_status] == OWN
    text = (Path(__file__).resolve().parents[2] / "docs" / "exit-status.md").read_text()
    assert "`create --print`, `attach`, `shell`, `exec`, `wait`" in text


@pytest.mark.usefixtures("home")
def test_the_envelope_says_the_status_the_process_ends_with(cli: Cli) -> None:
    answer = cli(*LINES["wait"])
    assert answer.status == 125
    assert json.loads(answer.out)["error"]["exit_status"] == 125


@pytest.mark.parametrize(("command", "status"), [("wait", 125), ("exec", 125), ("create", 125), ("list", 70)])
def test_a_bug_is_not_taken_for_the_status_of_what_ran(
    command: str, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_words: list[str], _command: str) -> int:
        raise KeyError("x")

    monkeypatch.setattr(common, "output", Output())
    monkeypatch.setattr(cli_run, "_run", broken)
    monkeypatch.setattr(signal, "signal", lambda *_words: None)
    assert cli_run.run([*LINES.get(command, ["list"])]) == status
    assert "clauderon: bug: KeyError" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "apart"),
    [
        ("exec x ls -l", "exec x -- ls -l"),
        ("exec -T x ls --debug", "exec -T x -- ls --debug"),
        ("exec --detach-keys ctrl-a x ls -l", "exec --detach-keys ctrl-a x -- ls -l"),
        ("exec x --detach-keys ctrl-a ls -l", "exec x --detach-keys ctrl-a -- ls -l"),
        ("exec x --detach-keys=ctrl-a ls -l", "exec x --detach-keys=ctrl-a -- ls -l"),
        ("exec x -- ls --detach-keys a b", "exec x -- ls --detach-keys a b"),
        ("list exec x y", "list exec x y"),
    ],
)
def test_what_follows_a_commands_name_is_the_commands(line: str, apart: str) -> None:
    """Seen to fail with --detach-keys after the session's name: its value was taken for the command."""
    assert cli_run._with_command_apart(line.split()) == apart.split()


def test_a_signal_that_is_ignored_stays_ignored(cli: Cli) -> None:
    """As nohup has it for the child that is going to live longer."""
    program = (
        "import signal; from clauderon.cli import run\n"
        "for number in (signal.SIGHUP, signal.SIGTERM): signal.signal(number, signal.SIG_IGN)\n"
        "run.run(['path', 'sh'])\n"
        "print(*(signal.getsignal(number) == signal.SIG_IGN for number in (signal.SIGHUP, signal.SIGTERM)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env=cli.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "True True"


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("remove", "clauderon delete"),
        ("kill", "clauderon stop"),
        ("sessions", "clauderon list"),
        ("cost", "clauderon usage"),
        ("secret remove", "clauderon secret rm"),
        ("secret add", "clauderon secret set"),
        ("rescue rm", "clauderon rescue drop"),
        ("rescue delete", "clauderon rescue drop"),
        ("creat", "clauderon create"),
    ],
)
def test_another_word_for_a_command_is_answered_with_ours(cli: Cli, typed: str, hint: str) -> None:
    answer = cli(*typed.split())
    assert answer.status == 2
    assert answer.error.endswith(f"hint: {hint}   # did you mean this?\n")


def test_another_word_means_nothing_but_commands() -> None:
    known = {*app.NAMES, *(command.name for command in app.COMMANDS)}
    assert {other for others in app._MEANT.values() for other in others} <= known
