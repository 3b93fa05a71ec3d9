"""`doctor`."""

from __future__ import annotations

import os

import typer

from clauderon.cli import common
from clauderon.errors import EXIT_FAILED
from clauderon.output import Column

_STYLES = {"ok": "green", "warn": "yellow", "fail": "red"}
_COLUMNS = (
    Column("outcome", "", _STYLES),
    Column("check", "CHECK"),
    Column("found", "FOUND"),
    Column("mend", "MEND IT WITH"),
)


def doctor(
    format_: common.FormatOption = "table", json: common.JsonOption = False, quiet: common.QuietOption = False
) -> None:
    """Check everything a session needs, and print for each failure the command that mends it.

    The exit status is 1 if something failed.

    Example: clauderon doctor
    """
    from clauderon.doctor import examine

    out = common.speak(format_, json, quiet)
    with out.progress("Looking at everything") as progress:
        checks = []
        for check in examine(common.home(), os.environ):
            checks.append(check)
            progress.update(text=check.name)
    out.records([check.row() for check in checks], _COLUMNS)
    if any(check.outcome == "fail" for check in checks):
        raise typer.Exit(EXIT_FAILED)
