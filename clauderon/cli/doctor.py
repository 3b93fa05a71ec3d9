"""`doctor`."""

from __future__ import annotations

import os
import sys

import typer

from clauderon.cells import Column
from clauderon.cli import common
from clauderon.errors import EXIT_FAILED
from clauderon.output import paint

_STYLES = {"ok": "green", "warn": "yellow", "fail": "red"}
_COLUMNS = (*(Column(name, name.upper()) for name in ("outcome", "check", "found")), Column("mend", "FIX"))
_NAME_WIDTH = 18


def doctor(
    format_: common.FormatOption = "table", json: common.JsonOption = False, quiet: common.QuietOption = False
) -> None:
    """Check everything a session needs, and print for each failure the command that fixes it.

    The exit status is 1 if something failed.

    Example: clauderon doctor
    """
    from clauderon.doctor import examine

    out = common.speak(format_, json, quiet)
    checks = []
    for check in examine(common.home(), os.environ):
        checks.append(check)
        if out.format == "table":
            # As each is known: the last one starts a container.
            outcome = paint(f"{check.outcome:<4}", _STYLES[check.outcome], sys.stdout)
            found = " ".join(check.found.split())
            mend = f"      hint: {check.mend}\n" if check.mend else ""
            out.text(f"{outcome}  {check.name:<{_NAME_WIDTH}}  {found}\n{mend}")
    healthy = not any(check.outcome == "fail" for check in checks)
    if out.format != "table":
        out.records([check.row() for check in checks], _COLUMNS, ok=healthy)
    if not healthy:
        raise typer.Exit(EXIT_FAILED)
