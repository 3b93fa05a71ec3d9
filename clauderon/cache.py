"""`clean-cache`: the cache volumes, what they hold and who uses them, and their removal."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from clauderon import spec
from clauderon.caching import ledger
from clauderon.errors import ClauderonError, Refused
from clauderon.session.context import Context, caches_lock

# A volume of one repository, or of the mode in which everybody writes (`session.volumes`).
_FURTHER = re.compile(r"(clauderon-[a-z-]+)-([0-9a-f]{12}|open)\Z")


class CacheVolume(NamedTuple):
    """size: as docker words it, "" if it does not exist; users: names of the containers that mount it."""

    name: str
    purpose: str
    exists: bool
    size: str
    users: tuple[str, ...]
    removed: bool = False

    def row(self) -> dict[str, Any]:
        """The volume as `clean-cache` prints it, by the keys of its columns."""
        return {
            "volume": self.name,
            "purpose": self.purpose,
            "size": self.size if self.exists else "-",
            "used_by": list(self.users),
            "exists": self.exists,
            "removed": self.removed,
        }


def usage(context: Context) -> list[CacheVolume]:
    """The three volumes, and those of one repository or of `open` that exist, with their sizes and users."""
    with context.report.progress("Measuring the cache volumes") as progress:
        progress.update(text="docker system df")
        sizes = context.docker.disk_usage()
    found = []
    for name, purpose in _volumes(sizes):
        users = tuple(sorted(c.name for c in context.docker.volume_users(name)))
        found.append(CacheVolume(name, purpose, name in sizes, sizes.get(name, ("", 0))[0], users))
    return found


def _volumes(sizes: Iterable[str]) -> list[tuple[str, str]]:
    """(name, purpose), the page's three first."""
    found = list(spec.SHARED_VOLUME_PURPOSE.items())
    for name in sorted(sizes):
        match = _FURTHER.match(name)
        purpose = spec.SHARED_VOLUME_PURPOSE.get(match[1]) if match else None
        if match and purpose:
            whose = "shared_caches = open" if match[2] == "open" else "one repository's"
            found.append((name, f"{purpose} ({whose})"))
    return found


def clean(context: Context) -> list[CacheVolume]:
    """Remove the volumes nobody's container holds. Raises Refused, with nothing removed, if any is in use."""
    context.home.create()
    with caches_lock(context):
        return _clean(context)


def _clean(context: Context) -> list[CacheVolume]:
    volumes = usage(context)
    users = sorted({user for volume in volumes for user in volume.users})
    if users:
        raise Refused(
            "clean-cache",
            f"the volumes are in use by {', '.join(users)}",
            hint="clauderon list --archived   # a stopped container holds its volumes too; delete its session first",
        )
    cleaned = []
    for volume in volumes:
        removed = volume.exists and context.docker.volume_remove(volume.name)
        cleaned.append(
            CacheVolume(volume.name, volume.purpose, volume.exists, volume.size, volume.users, removed)
        )
    ledger.forget(context.home)
    try:
        context.store.keep_fact("volumes", None)
        context.store.keep_fact("old-volumes", None)
    except ClauderonError as error:
        context.report.warn(str(error))
    return cleaned
