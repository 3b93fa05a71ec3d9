"""How answers look: byte-exact for xargs -0, one line a record for cut and awk, harmless on a terminal."""

from __future__ import annotations

import importlib
import inspect
import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from clauderon.cells import Column
from clauderon.errors import BackendError
from clauderon.output import Format, Output, colored
from clauderon.paths import Home
from tests.standins.cli import Cli

AWKWARD = "a\tb\\n\nc\r\x1b[31md\x7f"
COLUMNS = (Column("name", "NAME"), Column("note", "NOTE"))
ROW: Mapping[str, Any] = {"name": AWKWARD, "note": None}


def said(
    capsysbinary: pytest.CaptureFixture[bytes], format_: Format = "table", *, null: bool = False
) -> bytes:
    Output(format_, null=null).records([ROW], COLUMNS)
    return capsysbinary.readouterr().out


def test_null_is_byte_exact(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert said(capsysbinary, null=True) == AWKWARD.encode() + b"\t\0"
    Output(null=True).records([{"name": b"\xff\n".decode("utf-8", "surrogateescape")}], COLUMNS[:1])
    assert capsysbinary.readouterr().out == b"\xff\n\0"


def test_tsv_keeps_a_record_on_its_line_and_drives_no_terminal(
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    assert said(capsysbinary, "tsv") == b"a\\tb\\\\n\\nc\\r\\x1b[31md\\x7f\t\n"


def test_a_table_drives_no_terminal(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    shown = said(capsysbinary, "tsv").rstrip(b"\t\n")
    assert said(capsysbinary) == b"NAME".ljust(len(shown)) + b"  NOTE\n" + shown + b"\n"


def test_a_time_is_a_persons_in_a_record_and_a_number_for_a_program(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setenv("TZ", "UTC-2")
    time.tzset()
    try:
        for format_, said in (
            ("table", b"created at  1970-01-01 03:00:00\n"),
            ("tsv", b"created_at\t3600.5\n"),
        ):
            Output(format_).record({"created_at": 3600.5})  # type: ignore[arg-type]
            assert capsysbinary.readouterr().out == said
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("value", ["0", ""])
def test_colour_is_not_forced_by_a_nought(
    value: str, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    import sys

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("CLICOLOR_FORCE", value)
    assert not colored(sys.stdout)
    monkeypatch.setenv("CLICOLOR_FORCE", "1")
    assert colored(sys.stdout)


RECORD = {"time": "2026-01-01T00:00:00Z", "session": "one", "status": 200, "method": "GET", "host": "example.com",
          "path": "/a\tb\x1b[2J\nc", "credential": None, "rule": "open"}  # fmt: skip


def test_the_audit_is_one_harmless_line_a_request(cli: Cli, home: Home) -> None:
    home.audit.write_text(json.dumps(RECORD) + "\n")
    line = "2026-01-01T00:00:00Z{0}one{0}200{0}GET{0}example.com{0}/a\\tb\\x1b[2J\\nc{0}{0}open\n"
    assert cli.ok("proxy", "log", "--format", "tsv").text == line.format("\t")
    head, *shown = cli.ok("proxy", "log").text.splitlines()
    assert [one.split()[2:] for one in shown] == [
        ["one", "200", "GET", "example.com", "open", "/a\\tb\\x1b[2J\\nc"]
    ]
    assert head.split()[-1] == "PATH"
    assert json.loads(cli.ok("proxy", "log", "--json").text) == RECORD


# Their stdout is the container's, a stream, or a text for another program.
NO_FORMAT = {
    "attach",
    "shell",
    "exec",
    "logs",
    "diff",
    "env",
    "path",
    "shell-init",
    "proxy run",
    "top",
    "dashboard",
    "report",
}


def test_every_command_that_answers_speaks_three_formats() -> None:
    from clauderon.cli import app

    for command in app.COMMANDS:
        name = f"{command.group} {command.name}".strip()
        function = getattr(importlib.import_module(f"clauderon.cli.{command.module}"), command.function)
        assert ("format_" in inspect.signature(function).parameters) == (name not in NO_FORMAT), name


def test_what_is_done_is_a_name_a_line_and_in_tsv_the_whole_record(
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    rows = [{"name": "a", "rescued": ["x", "y"]}, {"name": "b", "rescued": []}]
    for format_, said in (("table", b"a\nb\n"), ("tsv", b"a\tx, y\nb\t\n")):
        Output(format_).done(rows)  # type: ignore[arg-type]
        assert capsysbinary.readouterr().out == said
    Output("tsv").done({"name": "a", "changed": False})
    assert capsysbinary.readouterr().out == b"name\ta\nchanged\tno\n"


def test_a_tools_long_words_are_shown_by_their_ends(capsys: pytest.CaptureFixture[str]) -> None:
    """A full disk made git say 612 lines, which pushed our own off the screen. Seen to fail without the cut."""
    detail = "".join(f"line {number}\n" for number in range(600))
    Output().fail(BackendError("what", "why", hint="type this", detail=detail), 4)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:3] == ["clauderon: what: why", "hint: type this", "line 0"]
    assert lines[-5:] == [
        "... 588 more lines; --json has them all ...", "line 596", "line 597", "line 598", "line 599",
    ]  # fmt: skip
    Output("json").fail(BackendError("what", "why", detail=detail), 4)
    assert json.loads(capsys.readouterr().out)["error"]["detail"] == detail
