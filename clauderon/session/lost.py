"""Says that the database was lost: it knows no session, and sessions' directories are there. Changes nothing."""

from __future__ import annotations

import re

from clauderon.session.context import Context

_ID = re.compile(r"[0-9a-f]{12}\Z")


def is_lost(context: Context) -> int:
    """How many sessions left directories though the database knows none; 0 if it knows one, or none is missing."""
    if not context.store.is_empty():
        return 0
    home = context.home
    found = {
        entry.name
        for parent in (home.git_dirs, home.homes)
        if parent.is_dir()
        for entry in parent.iterdir()
        if _ID.match(entry.name)
    }
    return len(found)


def announce(context: Context) -> None:
    """A word for the person whose `list` is empty though nothing was deleted."""
    number = is_lost(context)
    if number:
        some = "a session" if number == 1 else f"{number} sessions"
        context.report.warn(
            f"the database was lost: {context.home.database} knows no session, and {context.home.root} has the "
            f"directories of {some}. `clauderon reconcile` brings back every session that has a container"
        )
