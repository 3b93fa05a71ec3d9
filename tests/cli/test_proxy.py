"""`proxy log`: whose lines it prints, and what it says of a session that never was."""

from __future__ import annotations

import json
import time

import pytest

from clauderon.cells import Column, padded
from clauderon.paths import Home
from tests.standins.cli import Cli
from tests.standins.sessions import a_session


@pytest.fixture
def audited(home: Home) -> Home:
    lines = [
        {"id": f"{name}-id", "session": name, "path": f"/{name}"} for name in ("gone", "fix-bug", "gone")
    ]
    home.audit.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return home


@pytest.mark.parametrize("word", ["gone", "gone-id"])
def test_a_deleted_sessions_lines_are_still_there(cli: Cli, audited: Home, word: str) -> None:
    answer = cli.ok("proxy", "log", "--session", word, "--json")
    assert [json.loads(line)["path"] for line in answer.out.splitlines()] == ["/gone", "/gone"]


def test_a_session_that_never_was_is_said(cli: Cli, audited: Home) -> None:
    answer = cli("proxy", "log", "--session", "fix-bgu")
    assert (answer.status, answer.out) == (3, b"")
    assert b"session fix-bgu" in answer.err


def test_a_session_without_a_line_yet_has_none(cli: Cli, audited: Home) -> None:
    a_session(audited, "new", "0123456789ab")
    for word in ("new", "0123456789ab"):
        assert cli.ok("proxy", "log", "--session", word).out.splitlines()[1:] == []


def test_a_database_that_cannot_be_read_keeps_nobody_from_the_audit(cli: Cli, audited: Home) -> None:
    audited.database.write_bytes(b"no database" * 1000)
    assert len(cli.ok("proxy", "log", "--session", "gone", "--json").out.splitlines()) == 2
    assert cli.ok("proxy", "log", "--session", "unknown").out.splitlines()[1:] == []


def test_a_person_sees_titles_and_a_script_none(cli: Cli, audited: Home) -> None:
    head, *lines = cli.ok("proxy", "log").text.splitlines()
    assert head.split()[:3] == ["TIME", "SESSION", "STATUS"]
    assert len(lines) == 3
    assert {line.index("/") for line in lines} == {head.index("PATH")}
    assert len(cli.ok("proxy", "log", "--format", "tsv").text.splitlines()) == 3


def test_a_person_sees_the_hour_of_a_clock_here_and_one_session_without_its_name(
    cli: Cli, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        lines = [
            {"session": "s", "time": "2026-11-29T20:01:02.345Z", "path": "/p"},
            {"session": "s", "time": "odd"},
        ]
        home.audit.write_text("".join(json.dumps(line) + "\n" for line in lines))
        head, first, second = cli.ok("proxy", "log", "--session", "s").text.splitlines()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert (first[:14], second[:14]) == ("11-30 05:01:02", "odd")
    assert "SESSION" not in head.split()


def test_a_line_of_the_audit_fits_its_terminal() -> None:
    columns = [Column("a", "A", width=6), Column("path", "PATH")]
    assert padded(["x", "/a/long/path"], columns, 18) == "x       …long/path\n"
    assert padded(["x", "/a/long/path"], columns, None) == "x       /a/long/path\n"
    assert padded(["x", "/p"], columns, 3) == "x       /p\n"
