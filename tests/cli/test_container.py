"""Words behind `--` are the command's own, and a name that is missing is said."""

from __future__ import annotations

import pytest

from clauderon.paths import Home
from tests.standins.cli import Cli


@pytest.mark.parametrize("command", ["attach", "shell", "logs"])
def test_a_name_left_out_is_said_by_the_command_that_misses_it(cli: Cli, home: Home, command: str) -> None:
    answer = cli(command)
    assert answer.error.startswith(f"clauderon: {command}: there is no session\n")


@pytest.mark.parametrize(
    "line", ["nosuch ls -la --json", "-T nosuch ls --tty", "nosuch -T ls -- --json", "nosuch -- ls --json"]
)
def test_the_options_of_a_command_in_the_container_are_its_own(cli: Cli, home: Home, line: str) -> None:
    home.config.write_text('[docker]\ncommand = "/nonexistent/docker"\n')
    answer = cli("exec", *line.split())
    assert (answer.status, answer.text) == (125, "")
    assert answer.error.startswith("clauderon: /nonexistent/docker: ")
    assert "\nclauderon: /nonexistent/docker: " in cli("--debug", "exec", *line.split()).error
    assert "option" in cli("exec", "-x", "nosuch", "ls").error
