"""`create`, the main job: refuse first, record the intent, do independent things side by side, undo on failure."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from clauderon import airlock, git, names
from clauderon.agents import registry, setup, update
from clauderon.agents.image import ImageFacts
from clauderon.airlock import worktree
from clauderon.caching import wanted
from clauderon.errors import ClauderonError, Conflict
from clauderon.proxy import service
from clauderon.record import Session
from clauderon.session import (
    credential_facts,
    hook,
    proxy_notify,
    request,
    resources,
    telling,
    unsafe,
)
from clauderon.session.background import Background
from clauderon.session.context import Context, lock
from clauderon.session.delayed_progress import slow
from clauderon.session.request import Plan, Request
from clauderon.spec import ContainerSpec

if TYPE_CHECKING:
    from clauderon.session import launch


class Created(NamedTuple):
    """existing: the session was there already (`--idempotency-key`)."""

    session: Session
    existing: bool = False


def create(context: Context, wanted: Request) -> Created:
    """Make a session and start its container. Raises before any side effect, or undoes what was done."""
    key = wanted.idempotency
    if not key:
        return Created(_told(context, wanted))
    from clauderon.session import idempotency

    while True:
        existing = idempotency.made_with(context, key)
        if existing is not None:
            idempotency.check_same(context, wanted, existing)
            return Created(existing, existing=True)
        try:
            return Created(_told(context, wanted))
        except Conflict:
            # Another command with the same key may have been faster: with the name, or with the key itself.
            if context.store.by_idempotency(key) is None:
                raise


def _told(context: Context, wanted: Request) -> Session:
    session = _create(context, wanted)
    telling.tell(context, session, "create")
    return session


def _create(context: Context, wanted: Request) -> Session:
    image = request.image_reference(context, wanted)
    network = names.network(context.config.docker.network, request.network_mode(context, wanted))
    # The engine's answer takes longer than everything read here, so it is asked first.
    inspection = resources.Inspection.start(context.docker, image, network)
    try:
        plan = request.plan(context, wanted)
    except BaseException:
        inspection.pending.running.stop()
        raise
    say_what_stays_out(context, plan)
    return _carry_out(context, plan, inspection)


def _carry_out(context: Context, plan: Plan, inspection: resources.Inspection) -> Session:
    context.home.create()
    session = plan.session
    with lock(context, session):
        cached = resources.cached_gateway(context, inspection.network)
        session = context.store.add(session, context.config.proxy.session_port_range)
        try:
            if cached is not None:
                session = context.store.update(session.id, ip=cached.address(context.home, session.port))
            known = session
            proxy = Background(lambda: _serve(context, known))
            session, around = _gather(context, plan, session, inspection, cached)
            with slow(context.report, proxy_notify.waits_for(context) or "Starting the proxy"):
                proxy.result()
            if session.ip != known.ip:
                proxy_notify.tell(context, session.id)
            session = _start(context, plan, session, around)
        except BaseException as error:
            # The row knows how far it came; the value at hand is as old as the last step that returned.
            undo(context, context.store.get(session.name) or session, error)
            raise
    update.later(context.home, plan.agent, around.facts, context.environ)
    return session


def _gather(
    context: Context,
    plan: Plan,
    session: Session,
    inspection: resources.Inspection,
    cached: resources.Gateway | None,
) -> tuple[Session, launch.Surroundings]:
    """Worktree beside image, network, volumes and agent: none needs another."""
    home = context.home
    session = context.store.update(session.id, step="worktree")
    place = home.worktree(session.name)
    opening = airlock.start_worktree(plan.repository, place, branch=session.branch, base=session.base)
    try:
        from clauderon.session import launch  # loaded, as all that is only needed now, while git is at work

        launch.ahead(context, session)
        around = launch.surroundings(context, session, plan.agent, inspection, policy=session.pull_policy)
    except Exception:
        with suppress(ClauderonError):
            opening.result()  # a whole worktree is undone in one way, half of one in many
        raise
    except BaseException:
        opening.stop()
        raise
    with slow(context.report, "Checking out the worktree"):
        opening.result()
    hook.on_create(context, session)
    _make_private(context, session, plan.repository, around.facts)
    if around.gateway != cached:
        session = context.store.update(session.id, ip=around.gateway.address(home, session.port))
    return session, around


def _make_private(context: Context, session: Session, repository: git.Repository, facts: ImageFacts) -> None:
    from clauderon.session import launch

    airlock.make_private(
        repository,
        home=context.home,
        session_id=session.id,
        name=session.name,
        branch=session.branch,
        base=session.base,
        worktree=context.home.worktree(session.name),
        owner=launch.owner_of(session, facts),
        https_hosts=credential_facts.https_hosts(context, session),
    )
    wanted.remember(context.home, session.id, context.home.worktree(session.name))


def prepare_only(context: Context, session: Session, prompt: bytes | None, *, attached: bool) -> None:
    """What a dry run's script leaves to us between `git worktree add` and `docker run`.

    attached: as in `Plan`.
    """
    from clauderon.session import launch

    agent = registry.find(context.config, session.agent)
    unsafe.check_again(context, session)
    inspection = resources.Inspection.start(
        context.docker, session.image, resources.network_name(context, session)
    )
    around = launch.surroundings(context, session, agent, inspection, policy="never")
    repository = git.repository_read(Path(session.repo), context.environ, session.base)
    worktree.mark_ours(repository.common_dir, context.home.worktree(session.name), session.base)
    hook.on_create(context, session)
    _make_private(context, session, repository, around.facts)
    _serve(context, session)
    launch.prepare(context, session, agent, around, prompt)
    if attached:
        setup.set_mode(context.home, session, "attached")
    update.later(context.home, agent, around.facts, context.environ)


def _start(context: Context, plan: Plan, session: Session, around: launch.Surroundings) -> Session:
    from clauderon.session import launch

    session = context.store.update(session.id, step="container")
    if plan.attached:
        from clauderon.session import unheard

        unheard.hold(context, session)

    def describe(row: Session) -> ContainerSpec:
        described = launch.prepare(context, row, plan.agent, around, plan.prompt)
        if plan.attached:
            setup.set_mode(context.home, row, "attached")  # until `headless` listens
        return described

    session = launch.run(context, session, around.gateway, describe)
    return context.store.update(session.id, state="running", step="")


def _serve(context: Context, session: Session) -> None:
    """The proxy up, and told of the row if that is complete."""
    service.ensure(context.home, context.config, context.environ, fetch=False)
    if session.ip:
        proxy_notify.tell_in_silence(context, session.id)


def undo(context: Context, session: Session, error: BaseException) -> None:
    """Undo a failed create, in reverse; what cannot be undone is said, and left to the next command."""
    from clauderon.session import remove

    try:
        if session.step == "container":
            # From here on its container is not the session that was asked for, should it come up after all.
            session = context.store.update(session.id, step=remove.UNDOING)
        remove.discard(context, session)
    except ClauderonError as second:
        with suppress(Exception):
            context.report.warn(
                f"create {session.name} is not undone yet ({second}); the next command does it, or: clauderon reconcile"
            )


def say_what_stays_out(context: Context, plan: Plan) -> None:
    """Say what the session will not have: uncommitted changes, a credential, the user's own paths."""
    session = plan.session
    if plan.repository.dirty:
        context.report.note("Uncommitted changes of your checkout stay out of the session.")
    missing = credential_facts.missing(context, plan.agent, session)
    if missing:
        context.report.warn(missing)
    for note in plan.repository.notes:
        context.report.warn(note)
    if session.tracks:
        from clauderon.session import launch

        for note in launch.own_paths(session):
            context.report.warn(note)
    if session.network == "proxied" and session.publish:
        context.report.warn("published ports do not work on the internal network of --network proxied")
