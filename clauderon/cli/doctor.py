"""`doctor`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from clauderon import visible
from clauderon.cells import Column
from clauderon.cli import common
from clauderon.cli.declared import Exit, Option
from clauderon.errors import EXIT_FAILED
from clauderon.output import paint

if TYPE_CHECKING:
    from clauderon.doctor import Check

_STYLES = {"ok": "green", "warn": "yellow", "fail": "red"}
_COLUMNS = (*(Column(name, name.upper()) for name in ("outcome", "check", "found")), Column("mend", "FIX"))
_NAME_WIDTH = 18


LeaksOption = Annotated[
    str | None,
    Option("--leaks", metavar="NAME", help="Search a session for every credential, and say where one is."),
]
TlsOption = Annotated[
    str | None,
    Option("--tls", metavar="NAME", help="Try every TLS client of a session's image against the proxy."),
]


def doctor(
    leaks: LeaksOption = None,
    tls: TlsOption = None,
    format_: common.FormatOption = "table",
    json: common.JsonOption = False,
    quiet: common.QuietOption = False,
) -> None:
    """Check everything a session needs, and print for each failure the command that fixes it.

    The exit status is 1 if something failed.

    Example: clauderon doctor
    """
    out = common.speak(format_, json, quiet)
    checks = []
    for check in _asked(leaks, tls):
        checks.append(check)
        if out.format == "table":
            # As each is known: the last one starts a container.
            outcome = paint(f"{check.outcome:<4}", _STYLES[check.outcome], sys.stdout)
            found = visible.line(" ".join(check.found.split()))
            mend = f"      hint: {check.mend}\n" if check.mend else ""
            out.text(f"{outcome}  {check.name:<{_NAME_WIDTH}}  {found}\n{mend}")
    healthy = not any(check.outcome == "fail" for check in checks)
    if out.format != "table":
        out.records([check.row() for check in checks], _COLUMNS, ok=healthy)
    if not healthy:
        raise Exit(EXIT_FAILED)


def _asked(leaks_in: str | None, tls_in: str | None) -> Iterator[Check]:
    """The checks that were asked for: those of the machine, or those of one session."""
    if leaks_in is None and tls_in is None:
        from clauderon.doctor import examine

        yield from examine(common.home(), os.environ)
        return
    from clauderon.doctor import clients, leaks
    from clauderon.session import lookup

    with common.opened() as context:
        if leaks_in is not None:
            yield from leaks.examine(context, lookup.find(context, leaks_in))
        if tls_in is not None:
            yield from clients.examine(context, lookup.find(context, tls_in))
