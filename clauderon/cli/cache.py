"""`clean-cache`."""

from __future__ import annotations

from typing import Annotated

from clauderon import cache
from clauderon.cells import Column
from clauderon.cli import common
from clauderon.cli.declared import Option

_COLUMNS = (
    Column("volume", "VOLUME"),
    Column("size", "SIZE"),
    Column("used_by", "USED BY"),
    Column("purpose", "PURPOSE"),
)


def clean_cache(
    force: Annotated[bool, Option("--force", "-f", help="Remove the volumes.")] = False,
    format_: common.FormatOption = "table",
    json: common.JsonOption = False,
    quiet: common.QuietOption = False,
) -> None:
    """Show the shared cache volumes, their sizes and their users; with --force remove them.

    Example: clauderon clean-cache --force
    """
    out = common.speak(format_, json, quiet)
    with common.opened(changing=force) as context:
        if not force:
            out.records([volume.row() for volume in cache.usage(context)], _COLUMNS)
            out.note("Nothing was removed. hint: clauderon clean-cache --force")
            return
        columns = (*_COLUMNS[:2], Column("removed", "REMOVED"), _COLUMNS[3])
        out.records([volume.row() for volume in cache.clean(context)], columns)
