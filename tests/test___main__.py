"""The program's entry: what is answered at once, and how the process ends when its reader, disk or person gives up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from clauderon import __main__, __version__
from clauderon.paths import Home
from tests.standins.cli import Cli


@pytest.mark.parametrize("word", ["--version", "-V"])
def test_the_version_is_one_line_and_loads_no_command_line(cli: Cli, word: str) -> None:
    answer = cli(word, env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert (answer.status, answer.text) == (0, f"clauderon {__version__}\n")
    assert "clauderon.cli" not in answer.error and "typer" not in answer.error


def test_no_word_at_all_is_the_help(cli: Cli) -> None:
    assert cli().text == cli("--help").text
    assert "Usage: clauderon" in cli().text


@pytest.mark.usefixtures("home")
def test_help_of_a_command_is_that_commands(cli: Cli) -> None:
    assert "clauderon create" in cli.ok("create", "-h").text
    assert cli("nosuch", "--help").status == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", [["--version"], ["config", "env"]])
def test_a_full_disk_is_said_and_is_status_1(cli: Cli, home: Home, words: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            cli.command(*words),
            env=cli.environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("clauderon: ") and "no space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_has_gone_ends_it_as_sigpipe_does(cli: Cli) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        cli.command("--help"), env=cli.environment(), stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_ctrl_c_while_modules_are_imported_is_status_130_and_no_traceback(cli: Cli, tmp_path: Path) -> None:
    """Seen to print a traceback of the import system without the handler."""
    (tmp_path / "slow").mkdir()
    (tmp_path / "slow/typer.py").write_text(
        "import time, sys; print('importing', flush=True); time.sleep(60)\n"
    )
    environ = {**cli.environment(), "PYTHONPATH": str(tmp_path / "slow")}
    argv = [sys.executable, "-m", "clauderon", "doctor"]
    with subprocess.Popen(
        argv, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        if "importing" not in child.stdout.readline():
            pytest.skip("typer is not imported from there")
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=30)
    assert child.returncode == 130 and "Traceback" not in said


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_closed_stream_is_no_reason_to_write_into_somebody_elses_file(
    cli: Cli, home: Home, number: int
) -> None:
    """The next file that is opened would get its number. Seen to fail with the streams left closed."""
    shell = f'exec "$@" {number}<&-' if number == 0 else f'exec "$@" {number}>&-'
    done = subprocess.run(
        ["sh", "-c", shell, "sh", *cli.command("config", "env")],
        env=cli.environment(), capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert b"Traceback" not in done.stderr and done.returncode in (0, 1)
    for path in home.root.rglob("*"):
        assert not path.is_file() or b"clauderon: " not in path.read_bytes()


def test_an_old_installations_script_finds_the_entry_by_its_former_name() -> None:
    assert __main__.entry is __main__.console_main
