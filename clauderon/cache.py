"""`clean-cache`: the shared volumes, what they hold and who uses them, and their removal."""

from __future__ import annotations

from typing import Any, NamedTuple

from clauderon import spec
from clauderon.errors import ClauderonError, Refused
from clauderon.session.context import Context


class CacheVolume(NamedTuple):
    """size: as docker words it, "" if it does not exist; users: names of the containers that mount it."""

    name: str
    purpose: str
    exists: bool
    size: str
    users: tuple[str, ...]
    removed: bool = False

    def row(self) -> dict[str, Any]:
        return {
            "volume": self.name,
            "purpose": self.purpose,
            "size": self.size if self.exists else "-",
            "used_by": list(self.users),
            "exists": self.exists,
            "removed": self.removed,
        }


def usage(context: Context) -> list[CacheVolume]:
    """The three volumes with their real sizes and users, running or stopped."""
    with context.report.progress("Measuring the cache volumes") as progress:
        progress.update(text="docker system df")
        sizes = context.docker.disk_usage()
    found = []
    for name, purpose in spec.SHARED_VOLUME_PURPOSE.items():
        users = tuple(sorted(c.name for c in context.docker.volume_users(name)))
        found.append(CacheVolume(name, purpose, name in sizes, sizes.get(name, ("", 0))[0], users))
    return found


def clean(context: Context) -> list[CacheVolume]:
    """Remove the volumes nobody's container holds. Raises Refused, with nothing removed, if any is in use."""
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
    try:
        context.store.keep_fact("volumes", None)
    except ClauderonError as error:
        context.report.warn(str(error))
    return cleaned
