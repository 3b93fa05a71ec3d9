"""The help that is printed without typer is typer's own, byte for byte, on every terminal; where it is not, typer is asked."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import typer

from clauderon.cli import app, typed
from clauderon.quick import help
from tests.standins.cli import Cli
from tests.standins.terminal import on_a_terminal

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import commandtree  # type: ignore[import-not-found]  # noqa: E402

APPLICATION = typer.main.get_command(typed.build())
PATHS = [command.path for command in commandtree.walk(commandtree.read(typed.build()))]
# Below 52 columns typer makes no line shorter, from 100 on none longer.
WIDTHS = (1, 40, 60, 72, 76, 78, 79, 80, 81, 90, 98, 99, 100, 101, 250)


def typers(path: tuple[str, ...], columns: int, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(columns))
        APPLICATION.main(args=[*path, "--help"], prog_name="clauderon", standalone_mode=False)
    return capsys.readouterr().out


def at(columns: int) -> Mapping[str, str]:
    return {"COLUMNS": str(columns)}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: " ".join(path) or "clauderon")
def test_it_is_what_typer_says_at_every_width(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    for columns in WIDTHS:
        for flag in ("--help", "-h"):
            text = help.answer([*path, flag], at(columns))
            assert text in (None, typers(path, columns, capsys)), columns
    # No terminal at all counts as 80 columns, and most terminals are that or wide.
    for usual in (80, 100, 250):
        assert help.answer([*path, "--help"], at(usual)), usual


def test_no_command_at_all_is_a_question_for_help() -> None:
    assert help.answer([], at(80)) == help.answer(["--help"], at(80))


@pytest.mark.parametrize(
    "line", ["nosuch --help", "exec fix-bug --help", "--help create", "--debug --help", "create --help --json",
             "proxy", "proxy nosuch --help", "__step --help", "exec x -- -h", "80 --help", "-- --help"]
)  # fmt: skip
def test_what_is_not_plainly_a_question_for_help_is_left_to_typer(line: str) -> None:
    assert help.answer(line.split(), at(100)) is None


def test_a_word_is_one_word() -> None:
    assert help.answer(["proxy log", "--help"], at(100)) is None


def test_a_width_that_is_no_number_is_measured_as_typer_does() -> None:
    for odd in ("", "wide", "-3", "0"):
        assert help.columns({"COLUMNS": odd}) == help.columns({})
    assert help.columns({"COLUMNS": " 90 "}) == 90


@pytest.mark.usefixtures("home")
def test_a_terminal_is_measured(cli: Cli) -> None:
    environ = {name: value for name, value in cli.environment().items() if name != "COLUMNS"}
    for columns, broad in ((70, False), (100, True)):
        argv = ["sh", "-c", f'stty cols {columns} && exec "$@"', "sh", *cli.command("--help")]
        shown = on_a_terminal(argv, environ={**environ, "TERM": "xterm"}, stdout=True).shown
        widest = max(len(line) for line in shown.splitlines())
        assert widest <= columns - 2
        assert (widest > 78) == broad


@pytest.mark.usefixtures("home")
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("columns", ["80", "60"])
def test_a_full_disk_behind_help_is_a_failure_with_words(cli: Cli, columns: str) -> None:
    argv = ["sh", "-c", '"$@" >/dev/full', "sh", *cli.command("create", "--help")]
    seen = on_a_terminal(argv, environ={**cli.environment(), "COLUMNS": columns})
    assert (seen.status, seen.shown) == (1, "clauderon: stdout: no space left on device\r\n")


def test_the_commands_stand_in_sections_each_once() -> None:
    """Thirty in one list were none that a newcomer could read. Seen to fail with typer's own list."""
    text = help.answer(["--help"], at(100)) or ""
    titles = list(dict.fromkeys(command.panel for command in app.COMMANDS))
    places = [text.index(f"\n{title}:\n") for title in titles]
    assert places == sorted(places)
    for name in app.NAMES:
        assert len(re.findall(rf"(?m)^  {re.escape(name)}  ", text)) == 1, name
