"""Commands with several names: one that does not exist is said before anything is done to the others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clauderon.paths import Home
from clauderon.record import Session
from clauderon.store import Store
from tests.standins.cli import Cli
from tests.standins.sessions import a_session


@pytest.fixture
def asked(home: Home, tmp_path: Path) -> Path:
    """What was asked of a docker that has nothing and does everything."""
    log, program = tmp_path / "asked", tmp_path / "engine"
    program.write_text(f'#!/bin/sh\necho "$@" >>{log}\n')
    program.chmod(0o755)
    log.touch()
    home.config.write_text(f'[docker]\ncommand = "{program}"\n')
    return log


def rows(home: Home) -> list[Session]:
    with Store.open(home) as store:
        return store.all()


@pytest.mark.parametrize("command", ["start", "stop", "archive", "unarchive", "delete"])
def test_a_name_that_does_not_exist_is_said_before_anything_is_done(
    cli: Cli, home: Home, asked: Path, command: str
) -> None:
    a_session(home, "first", "0123456789ab", archived=command == "unarchive")
    before = rows(home)
    answer = cli(command, "first", "nosuch", "--json", *(["--force"] if command == "delete" else []))
    assert answer.status == 3, repr(answer)
    assert json.loads(answer.out)["error"]["what"] == "session nosuch"
    assert rows(home) == before
    assert all(line.startswith("container ls ") for line in asked.read_text().splitlines())


def test_a_name_given_twice_is_one_session(cli: Cli, home: Home, asked: Path) -> None:
    a_session(home, "first", "0123456789ab", archived=True)
    answer = cli.ok("unarchive", "first", "first", "--json")
    assert [row["name"] for row in answer.json["data"]] == ["first"]


def test_one_that_fails_does_not_keep_the_others_from_being_done(
    cli: Cli, home: Home, asked: Path, tmp_path: Path
) -> None:
    (tmp_path / "engine").write_text(
        f'#!/bin/sh\necho "$@" >>{asked}\ncase $* in *stop*second*) echo boom >&2; exit 1 ;; esac\n'
    )
    for number, name in enumerate(("first", "second", "third")):
        a_session(home, name, f"{number}" * 12)
    answer = cli("archive", "first", "second", "third", "--json")
    assert answer.status == 4, repr(answer)
    assert "boom" in json.dumps(json.loads(answer.out)["error"])
    assert "succeeded: first, third" in answer.error
    assert {row.name for row in rows(home) if row.archived} == {"first", "third"}
