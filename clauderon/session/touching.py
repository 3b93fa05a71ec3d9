"""Whether the engine can lay an overlay over the objects that sessions borrow (`airlock.lent`): asked once, remembered.

It takes an engine whose daemon may mount one in our home, and a kernel and a file system that copy an inode without its
data. Docker Desktop, rootless engines and podman do not; sessions there borrow the objects read-only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clauderon import airlock, filelock
from clauderon.agents import setup
from clauderon.agents.image import ImageFacts
from clauderon.airlock import lent
from clauderon.airlock.layout import TRIED_OVERLAY
from clauderon.docker.argv import mount_value
from clauderon.errors import CommandFailed
from clauderon.git.alternates import object_dirs
from clauderon.mount import Mount
from clauderon.record import Session
from clauderon.session.context import Context

_PLACE = "/clauderon-overlay"
# Builtins of a shell only. The kernel leaves out of the options what is its default.
QUESTION = f"""
while read -r _ at kind options _; do
    [ "$at" != {_PLACE} ] || say overlay "$kind $options"
done </proc/mounts
[ ! -r /sys/module/overlay/parameters/metacopy ] || read -r on </sys/module/overlay/parameters/metacopy
say overlay-default "${{on:-N}}"
"""


def wanted(context: Context, session: Session, facts: ImageFacts) -> bool:
    """Whether this session's objects are to be lent in this way."""
    if not _works(context):
        return False
    user = setup.runs_as(session, facts)
    objects = object_dirs(Path(session.git_dir) / "objects")
    return lent.can_lend(context.home, objects, None if user is None else user[0])


def is_unasked(context: Context) -> bool:
    """Whether nobody has found out yet about this engine."""
    return context.store.fact(_key(context)) is None


@contextmanager
def asking(context: Context, session_id: str) -> Iterator[list[str]]:
    """Words for a throwaway container that has such an overlay, and is to run `QUESTION`."""
    place = context.home.root / f"{TRIED_OVERLAY}{session_id}"
    # By which `drafts` knows one whose maker was killed.
    mark = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        mark.touch()
        lower = place / "lower"
        lower.mkdir(parents=True, exist_ok=True)
        lent.make_place(place)
        owner = (str(context.home.root), session_id)
        mount = Mount(lent.options([lower], place), _PLACE, kind="overlay", owner=owner)
        yield ["--mount", mount_value(mount)]
    finally:
        airlock.remove_tree(place)
        mark.unlink(missing_ok=True)


def heard(context: Context, answer: str | None) -> None:
    """Remember what the container said; None where it could not be started with the overlay."""
    said = dict(line.partition("=")[::2] for line in (answer or "").splitlines())
    kind, _, options = said.get("overlay", "").partition(" ")
    asked = options.split(",")
    alone = "metacopy=on" in asked or (said.get("overlay-default") == "Y" and "metacopy=off" not in asked)
    _remember(context, kind == "overlay" and alone)


def refused(context: Context, mounts: tuple[Mount, ...], failure: CommandFailed) -> bool:
    """Whether the engine has not mounted the overlay, as it once did; then no session of this home has one."""
    if not any(mount.kind == "overlay" for mount in mounts):
        return False
    if not any(word in failure.detail for word in ("overlay", "local volume", "volume-opt")):
        return False
    _remember(context, False)
    return True


def left(context: Context) -> list[str]:
    """Overlays of this home's that no container has. A command at work on the session may be just making it."""
    there = context.docker.volumes_left(str(context.home.root))
    return sorted(
        name for name, session_id in there.items() if not filelock.is_held(context.home.lock(session_id))
    )


def _key(context: Context) -> str:
    docker = context.docker
    return "overlay:" + (
        docker.context or docker.env.get("DOCKER_HOST") or docker.env.get("DOCKER_CONTEXT", "")
    )


def _works(context: Context) -> bool:
    fact: dict[str, Any] = context.store.fact(_key(context)) or {}
    return fact.get("works") is True


def _remember(context: Context, works: bool) -> None:
    context.store.keep_fact(_key(context), {"works": works})
