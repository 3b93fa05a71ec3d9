"""`refresh`: the newer image under the same session. The old container goes on until the new one is sure to start."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from clauderon import names, spec
from clauderon.agents import registry
from clauderon.docker.parse import ContainerDetail
from clauderon.errors import Conflict
from clauderon.session import launch, resources
from clauderon.session.context import Context, lock
from clauderon.session.lookup import find
from clauderon.session.slow import slow
from clauderon.store import Session

STOP_GRACE_S = 10


class Refreshed(NamedTuple):
    session: Session
    image_changed: bool


def old_name(session: Session) -> str:
    """What the old container is called while the new one is being made."""
    return f"{names.container(session.name)}-replaced"


def refresh(context: Context, name: str, *, policy: str | None = None) -> Refreshed:
    """Pull the session's image and make its container anew from the row, everything else kept.

    policy: `always` unless given; a session created under `never` stays under it.
    Raises with the old container as it was when the pull or the agent's download fails.
    """
    session = find(context, name)
    with lock(context, session):
        session = find(context, name)
        if session.archived:
            raise Conflict(f"refresh {name}", "it is archived", hint=f"clauderon unarchive {name}")
        if policy is None:
            policy = "never" if session.pull_policy == "never" else "always"
        agent = registry.find(context.config, session.agent)
        network = resources.network_name(context, session.network)
        inspection = resources.Inspection.start(context.docker, session.image, network)
        around = launch.surroundings(context, session, agent, inspection, policy=policy)
        binary = launch.agent_binary(context, agent, around.facts, newest=True)
        around = launch.Surroundings(around.image, around.facts, around.gateway, binary)
        old = context.docker.container_inspect(names.container(session.name))
        session = context.store.update(session.id, state="refreshing", step="swap")
        session = _swap(context, session, old, lambda row: launch.relaunch(context, row, agent, around))
        session = context.store.update(session.id, state="running", step="")
    return Refreshed(session, old is None or old.image_id != around.image.id)


def _swap(
    context: Context, session: Session, old: ContainerDetail | None, make: Callable[[Session], Session]
) -> Session:
    """Stop and set aside the old container, make the new, remove the old; on failure put the old one back."""
    if old is None:
        return make(session)
    with slow(context.report, f"Stopping {session.name}"):
        context.docker.container_stop(old.id, STOP_GRACE_S)
    context.docker.container_rename(old.id, old_name(session))
    try:
        session = make(session)
    except BaseException:
        restore(context, session, start=old.running)
        raise
    context.docker.container_remove(old.id)
    return session


def restore(context: Context, session: Session, *, start: bool) -> None:
    """Put the container that was set aside back in its place; nothing to do if there is none."""
    aside = context.docker.container_inspect(old_name(session))
    if aside is None or aside.labels.get(spec.LABEL_ID) != session.id:
        context.store.update(session.id, state="running", step="")
        return
    current = context.docker.container_inspect(names.container(session.name))
    if current is not None and current.labels.get(spec.LABEL_ID) == session.id:
        context.docker.container_remove(current.id)
    context.docker.container_rename(aside.id, names.container(session.name))
    if start:
        context.docker.container_start(names.container(session.name))
    context.store.update(session.id, state="running", step="")


def finish(context: Context, session: Session) -> None:
    """Finish or undo a refresh whose command was killed: a new container that runs wins, else the old comes back."""
    current = context.docker.container_inspect(names.container(session.name))
    aside = context.docker.container_inspect(old_name(session))
    if aside is None or aside.labels.get(spec.LABEL_ID) != session.id:
        context.store.update(session.id, state="running", step="")
    elif current is not None and current.id != aside.id and current.running:
        context.docker.container_remove(aside.id)
        context.store.update(session.id, state="running", step="")
    else:
        restore(context, session, start=True)
