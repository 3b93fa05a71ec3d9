"""Groups of sessions: commands that take names take a group instead, and `usage` and `list` show it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clauderon import spec
from clauderon.paths import Home
from clauderon.record import Session
from clauderon.store import Store
from clauderon.usage_journal import Journal
from tests.standins.cli import Cli
from tests.standins.sessions import a_session


@pytest.fixture
def grouped(home: Home, tmp_path: Path) -> Home:
    """Two sessions of the group `nightly` and one of none, and an engine that has nothing and does everything."""
    program = tmp_path / "engine"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    home.config.write_text(f'[docker]\ncommand = "{program}"\n')
    with Store.open(home) as store:
        for number, name in enumerate(("one", "two", "alone")):
            session = a_session(home, name, f"{number}" * 12)
            if name != "alone":
                store.update(session.id, group="nightly")
    return home


def test_a_group_survives_the_database_in_the_containers_label(home: Home) -> None:
    session = a_session(home, "one", "0" * 12).changed(group="nightly")
    labels = spec.labels(session, home)
    assert labels["clauderon.group"] == "nightly"
    assert Session.from_json(labels[spec.LABEL_SPEC]).group == "nightly"
    # A session without a group has the labels that it always had.
    alone = spec.labels(session.changed(group=""), home)
    assert "group" not in alone[spec.LABEL_SPEC] and "clauderon.group" not in alone


@pytest.mark.parametrize("command", ["stop", "archive", "delete"])
def test_a_command_takes_a_group_instead_of_names(cli: Cli, grouped: Home, command: str) -> None:
    answer = cli.ok(command, "--group", "nightly", "--json", *(["--force"] if command == "delete" else []))
    assert [row["name"] for row in answer.json["data"]] == ["one", "two"]


@pytest.mark.parametrize("command", ["start", "stop", "archive", "unarchive", "delete", "wait"])
def test_a_group_that_nothing_is_in_is_said(cli: Cli, grouped: Home, command: str) -> None:
    """A mistyped group must not end as "done" with nothing done."""
    answer = cli(command, "--group", "nightyl", "--json")
    status = 125 if command == "wait" else 3  # `wait` passes the agents' statuses on
    assert (answer.status, json.loads(answer.out)["error"]["what"]) == (status, "group nightyl")


@pytest.mark.parametrize("command", ["start", "stop", "delete", "wait"])
def test_names_and_a_group_or_neither_is_a_usage_error(cli: Cli, grouped: Home, command: str) -> None:
    status = 125 if command == "wait" else 2
    assert cli(command, "one", "--group", "nightly").status == status
    assert cli(command).status == status


def test_list_shows_a_group_and_takes_one(cli: Cli, grouped: Home) -> None:
    rows = cli.ok("list", "--json").json["data"]
    assert {row["name"]: row["group"] for row in rows} == {"one": "nightly", "two": "nightly", "alone": ""}
    assert cli.ok("list", "--names", "--group", "nightly").text.split() == ["one", "two"]


def test_usage_sums_groups_up_and_takes_one(cli: Cli, grouped: Home) -> None:
    journal = Journal(grouped)
    for name, team, tokens in (("one", "nightly", 1), ("two", "nightly", 10), ("alone", "", 100)):
        journal.append(
            {
                "id": name, "end": True, "worker": "w", "time": 1e9, "session": name, "name": name, "team": team,
                "api": "openai", "model": "m", "requests": 1, "input": tokens, "nano": tokens * 10**9,
            }
        )  # fmt: skip
    journal.close()
    rows = cli.ok("usage", "--by", "group", "--json").json["data"]["rows"]
    assert [(row["group"], row["input"], row["cost"]) for row in rows] == [
        ("-", 100, 100.0),
        ("nightly", 11, 11.0),
    ]
    rows = cli.ok("usage", "--group", "nightly", "--json").json["data"]["rows"]
    assert [(row["session"], row["input"]) for row in rows] == [("two", 10), ("one", 1)]
    assert cli("usage", "--group", "nosuch").status == 3


@pytest.mark.parametrize("group", ["", "-x", "a b", "a/b", ".", "x" * 64, "é"])
def test_what_no_group_is_called_is_refused_before_anything_is_made(
    cli: Cli, grouped: Home, tmp_path: Path, group: str
) -> None:
    answer = cli("create", "--repo", str(tmp_path), f"--group={group}", "--prompt", "x")
    assert answer.status == 2 and "--group" in answer.error, repr(answer)


def test_groups_complete(cli: Cli, grouped: Home) -> None:
    assert cli.ok("__complete", "groups").text == "nightly\t2 sessions\n"
