"""docker's words lead to our commands, and nothing but the command's own word is ever rewritten."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon import aliases
from clauderon.cli import app
from tests.standins.cli import Cli


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ls", "list"),
        ("ps --json", "list --json"),
        ("rm -f fix-bug", "delete -f fix-bug"),
        ("--debug run -p x", "--debug create -p x"),
        ("help", "--help"),
        ("help create", "create --help"),
        ("help proxy start", "proxy start --help"),
        ("version", "--version"),
    ],
)
def test_a_word_of_another_tool_is_ours(typed: str, meant: str) -> None:
    assert aliases.expand(typed.split()) == meant.split()


@pytest.mark.parametrize(
    "line", ["", "--help", "exec ls ls -l", "proxy run", "delete rm", "version x", "create ps"]
)
def test_what_is_no_alias_stays_as_typed(line: str) -> None:
    assert aliases.expand(line.split()) == line.split()


@given(
    st.sampled_from(app.NAMES), st.lists(st.sampled_from(["ls", "ps", "rm", "run", "help", "-f", "--", "x"]))
)
def test_the_words_after_a_command_are_never_touched(command: str, rest: list[str]) -> None:
    assert aliases.expand([command, *rest]) == [command, *rest]


def test_no_alias_hides_a_command() -> None:
    assert not {*aliases.ALIASES, "help", "version"} & set(app.NAMES)
    assert set(aliases.ALIASES.values()) <= set(app.NAMES)


def test_help_for_a_command_is_its_help(cli: Cli) -> None:
    assert cli("help", "create").text == cli("create", "--help").text
