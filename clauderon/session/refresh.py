"""`refresh`: the newer image under the same session. The old container goes on until the new one is sure to start."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from clauderon import git, names, spec
from clauderon.agents import registry
from clauderon.docker import failures
from clauderon.docker.parse import ContainerDetail
from clauderon.errors import ClauderonError, CommandFailed, Conflict
from clauderon.proxy import service
from clauderon.proxy.policy import repositories
from clauderon.record import Session
from clauderon.session import launch, promotion, proxy_notify, resources
from clauderon.session.context import Context, lock
from clauderon.session.delayed_progress import slow
from clauderon.session.lookup import find

STOP_GRACE_S = 10
# The step of a refresh, for whoever has to finish it: does the session run when it is over?
RUNNING, STOPPED = "swap", "swap of a stopped session"


class Refreshed(NamedTuple):
    """A session after its refresh, and whether its image was another one before."""

    session: Session
    image_changed: bool


def refresh(context: Context, name: str, *, policy: str | None = None) -> Refreshed:
    """Pull the session's image and make its container anew from the row, everything else kept.

    A stopped session stays stopped. policy: `always` unless given; a session created under `never` stays under it.
    Raises with the old container as it was when the pull, the agent's download or the new container fails.
    """
    session = find(context, name)
    with lock(context, session):
        session = find(context, name)
        if session.archived:
            raise Conflict(f"refresh {name}", "it is archived", hint=f"clauderon unarchive {name}")
        if policy is None:
            policy = "never" if session.pull_policy == "never" else "always"
        agent = registry.find(context.config, session.agent)
        network = resources.network_name(context, session)
        inspection = resources.Inspection.start(context.docker, session.image, network)
        around = launch.surroundings(
            context, session, agent, inspection, policy=policy,
            offline=f"clauderon refresh {name} --pull-policy never",
        )  # fmt: skip
        binary = launch.agent_binary(context, agent, around.facts, newest=True)
        around = around._replace(binary=binary)
        proxy_notify.bring_up(context)
        old = _current(context, session)
        runs = old is None or old.running
        session = context.store.update(
            session.id,
            state="refreshing",
            step=RUNNING if runs else STOPPED,
            remotes=_remotes(context, session),
        )
        try:
            if old is not None:
                with slow(context.report, f"Stopping {session.name}"):
                    context.docker.container_stop(old.id, STOP_GRACE_S)
                promotion.promote(context, session)
                context.docker.container_rename(old.id, names.replaced(session.name))
            launch.relaunch(context, session, agent, around, start=runs)
            if old is not None:
                context.docker.container_remove(old.id)
        except BaseException:
            _finish_interrupted(context, session)
            raise
        session = context.store.update(session.id, state="running", step="")
    return Refreshed(session, old is None or old.image_id != around.image.id)


def _remotes(context: Context, session: Session) -> tuple[str, ...]:
    """The repositories that the remotes name by now; as before where the repository cannot be read."""
    try:
        found = git.remotes_read(Path(session.repo), context.environ)
    except (ClauderonError, OSError) as error:
        context.report.warn(
            f"the remotes of {session.repo} could not be read, and stay as they were: {error}"
        )
        return session.remotes
    return repositories.of_remotes(found)


def _finish_interrupted(context: Context, session: Session) -> None:
    try:
        finish(context, session)
    except ClauderonError as error:
        context.report.warn(f"putting {session.name} right stopped: {error}; run: clauderon reconcile")


def finish(context: Context, session: Session) -> None:
    """Finish or undo the exchange of containers where it stopped: a new one that began wins, else the old is back.

    Safe to repeat.
    """
    runs = session.step != STOPPED
    own = names.container(session.name)
    aside = _ours(context, session, names.replaced(session.name))
    current = _ours(context, session, own)
    if aside is not None and current is not None and (current.began or not runs):
        context.docker.container_remove(aside.id)
        runs = False  # it does, or its agent has ended by itself
    elif aside is not None:
        if current is not None:
            context.docker.container_remove(current.id)
        context.docker.container_rename(aside.id, own)
        current = aside
        if aside.ip and aside.ip != session.ip:
            # The new one was to have another address, perhaps on another network.
            context.store.update(session.id, ip=aside.ip)
            service.reload(context.home, context.config, context.environ)
    if runs and current is not None and not current.running:
        try:
            context.docker.container_start(own)
        except CommandFailed as failure:
            raise failures.explain(failure, f"start {session.name}") from failure
    context.store.update(session.id, state="running", step="")


def _ours(context: Context, session: Session, name: str) -> ContainerDetail | None:
    detail = context.docker.container_inspect(name)
    return detail if detail is not None and detail.labels.get(spec.LABEL_ID) == session.id else None


def _current(context: Context, session: Session) -> ContainerDetail | None:
    """The session's container. Raises Conflict if another has its name."""
    name = names.container(session.name)
    detail = context.docker.container_inspect(name)
    if detail is not None and detail.labels.get(spec.LABEL_ID) != session.id:
        raise failures.in_the_way(f"refresh {session.name}", name)
    return detail
