"""`proxy run`, `proxy start`, `proxy stop`, `proxy status`, `proxy log`."""

from __future__ import annotations

import os
from datetime import datetime
from typing import Annotated

from clauderon import config
from clauderon.cells import Column, person_text, text_of
from clauderon.cli import common
from clauderon.cli.declared import Exit, Option
from clauderon.errors import BackendError

_LOG_COLUMNS = tuple(
    Column(key, key.upper())
    for key in ("time", "session", "status", "method", "host", "path", "credential", "rule")
)
# For a person: the hour as a clock here shows it, and the path last, which alone may be cut to fit a terminal.
_LOG_WIDTHS = {
    "time": 14, "session": 12, "status": 6, "method": 6, "host": 18, "credential": 10, "rule": 6, "path": 0,
}  # fmt: skip
_LOG_TABLE = tuple(Column(key, key.upper(), width=width) for key, width in _LOG_WIDTHS.items())
_STATUS_TITLES = {
    "name": "NAME", "port": "PORT", "access_mode": "MODE", "tunnels": "TUNNELS", "requests": "REQUESTS",
    "refusals": "REFUSED", "bytes_up": "UP", "bytes_down": "DOWN",
}  # fmt: skip


def run() -> None:
    """Run the proxy in the foreground, for systemd, launchd or a look.

    Example: clauderon proxy run
    """
    from clauderon.proxy.daemon import supervisor

    home = common.home()
    home.create()
    raise Exit(supervisor.run(home, config.load(home, os.environ), os.environ))


def start(
    format_: common.FormatOption = "table", json: common.JsonOption = False, quiet: common.QuietOption = False
) -> None:
    """Start the proxy if it is not running; have it read configuration and secrets again if it is.

    Example: clauderon proxy start
    """
    from clauderon.proxy import service

    out = common.speak(format_, json, quiet)
    with common.opened() as context:
        current = service.ensure(context.home, context.config, context.environ, again=True)
        for problem in current.problems:
            out.warn(problem)
        out.note(f"The proxy answers on port {current.port}.")
        out.done({"port": current.port})


def stop(
    format_: common.FormatOption = "table", json: common.JsonOption = False, quiet: common.QuietOption = False
) -> None:
    """Stop the proxy; running sessions lose their way out until it is back.

    Example: clauderon proxy stop
    """
    from clauderon.proxy import service

    out = common.speak(format_, json, quiet)
    stopped = service.stop(common.home())
    out.note("The proxy is stopped." if stopped else "The proxy was not running.")
    out.done({"stopped": stopped})


def status(
    format_: common.FormatOption = "table", json: common.JsonOption = False, quiet: common.QuietOption = False
) -> None:
    """Show the proxy: its sessions, their ports, requests, bytes and refusals.

    Example: clauderon proxy status
    """
    from clauderon.proxy import service

    out = common.speak(format_, json, quiet)
    current = service.status(common.home())
    if current is None:
        raise BackendError("proxy", "not running", hint="clauderon proxy start")
    data = current.row()
    if out.json:
        out.value("", data)
        return
    for problem in data["problems"]:
        out.warn(problem)
    sessions = data.pop("sessions")
    if out.format == "table":
        for key, value in data.items():
            if not isinstance(value, (list, dict)):
                out.note(f"{key}: {person_text(key, value)}")
    columns = [Column(key, title) for key, title in _STATUS_TITLES.items()]
    if any(session["unsafe"] for session in sessions):
        columns.append(Column("unsafe", "UNSAFE"))
    out.records(sessions, columns, empty="No sessions.")


def log(
    session: Annotated[str | None, Option("--session", metavar="NAME", help="Only this session.")] = None,
    follow: Annotated[bool, Option("--follow", "-f", help="Follow the output.")] = False,
    refused: Annotated[bool, Option("--refused", help="Only what was refused.")] = False,
    format_: common.FormatOption = "table",
    json: common.JsonOption = False,
    quiet: common.QuietOption = False,
) -> None:
    """Print the audit: a line for each request. With --json, the lines as they were written.

    Example: clauderon proxy log --session fix-bug -f
    """
    from clauderon.proxy.audit import reader as audit_reader

    out = common.speak(format_, json, quiet)
    home = common.home()
    if session is not None and next(audit_reader.read(home.audit, session=session), None) is None:
        common.refuse_unknown(home, session, "proxy log", "the audit has no line of it", follow=follow)
    table = out.format == "table" and not out.null
    columns = tuple(c for c in _LOG_TABLE if c.key != "session" or not session) if table else _LOG_COLUMNS
    out.head(columns)
    for record in audit_reader.read(home.audit, session=session, follow=follow):
        if refused and not record.get("refused"):
            continue
        out.item({**record, "time": _clock(record.get("time"))} if table else record, columns)


def _clock(written: object) -> str:
    """An audit line's time (RFC 3339, UTC) as a clock here shows it, without the year; what is none, as it is."""
    try:
        return datetime.fromisoformat(str(written)).astimezone().strftime("%m-%d %H:%M:%S")
    except ValueError:
        return text_of(written)
