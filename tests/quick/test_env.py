"""`env`, `path` and `shell-init` answered without typer: in every order of their words, or left to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from clauderon.errors import ClauderonError
from clauderon.paths import Home
from clauderon.quick import env
from tests.standins.sessions import a_session


@pytest.mark.parametrize(
    "words",
    [["fix"], ["--shell", "sh", "fix"], ["fix", "--shell=sh"], ["--", "fix"], ["fix", "--shell", "sh"]],
)
def test_the_variables_of_a_session(home: Home, words: list[str]) -> None:
    session = a_session(home, "fix", "0123456789ab")
    said = env._answer("env", words)
    assert said is not None and f"CLAUDERON_SESSION_ID={session.id}" in said.replace("'", "")


@pytest.mark.parametrize("words", [[], ["a", "b"], ["--help"], ["fix", "--json"], ["--shel", "fish", "fix"]])
def test_what_is_not_that_simple_is_left_to_typer(home: Home, words: list[str]) -> None:
    assert env._answer("env", words) is None


def test_to_unset_needs_no_session(home: Home) -> None:
    said = env._answer("env", ["--unset"])
    assert said is not None and "CLAUDERON_SESSION_ID" in said


def test_the_paths_of_files_and_of_a_worktree(home: Home) -> None:
    session = a_session(home, "fix", "0123456789ab")
    assert env._answer("path", ["home"]) == f"{home.root}\n"
    assert env._answer("path", ["worktree", session.name]) == f"{home.worktree('fix')}\n"
    for what in env._FILES:
        said = env._answer("path", [what])
        assert said is not None and Path(said.rstrip("\n")).is_file()
    assert env._answer("path", []) is None and env._answer("path", ["sh", "--json"]) is None


@pytest.mark.parametrize("words", [["nothing"], ["worktree", "none"], ["worktree"]])
def test_a_path_that_is_none_is_an_error(home: Home, words: list[str]) -> None:
    with pytest.raises(ClauderonError):
        env._answer("path", words)


@pytest.mark.parametrize("shell", list(env._INIT))
def test_every_shells_start_is_its_files_one_after_the_other(shell: str) -> None:
    said = env._answer("shell-init", [shell])
    assert said is not None
    for name in env._INIT[shell]:
        assert (env._SHARE / name).read_text().strip() in said
