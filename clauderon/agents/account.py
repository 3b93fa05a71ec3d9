"""Who the container's user is by name, where the image does not know: `whoami`, ssh, git and Node ask for it.

Pure: the image's own two tables with one line more.
"""

from __future__ import annotations

from collections.abc import Sequence

from clauderon import paths
from clauderon.agents.image import ImageFacts

PASSWD, GROUP = "/etc/passwd", "/etc/group"
_NAME = "agent"


def tables(facts: ImageFacts, user: tuple[int, int] | None) -> dict[str, str]:
    """Which of the tables lack the container's (uid, gid): the place inside to what should be there.

    Empty where nothing is missing, or where nobody knows (`user` and the tables of `facts` may be None).
    """
    if user is None:
        return {}
    uid, gid = user
    found = {}
    if facts.passwd is not None and not _has(facts.passwd, uid):
        name = _free(facts.passwd, "root" if uid == 0 else _NAME)
        shell = facts.programs.get("bash", "/bin/sh")
        found[PASSWD] = _with(facts.passwd, f"{name}:x:{uid}:{gid}:{name}:{paths.CONTAINER_HOME}:{shell}")
    if facts.group is not None and not _has(facts.group, gid):
        name = _free(facts.group, "root" if gid == 0 else _NAME)
        found[GROUP] = _with(facts.group, f"{name}:x:{gid}:")
    return found


def _has(table: Sequence[str], number: int) -> bool:
    return any(fields[2:3] == [str(number)] for fields in (line.split(":") for line in table))


def _free(table: Sequence[str], name: str) -> str:
    """`name`, or with the first number behind it that nobody has."""
    taken = {line.partition(":")[0] for line in table}
    candidates = (name, *(f"{name}{number}" for number in range(1, len(taken) + 2)))
    return next(candidate for candidate in candidates if candidate not in taken)


def _with(table: Sequence[str], line: str) -> str:
    return "".join(f"{each}\n" for each in (*table, line))
