"""A session's days: start, stop, archive, and the doors into it (attach, shell, exec, logs, wait)."""

from __future__ import annotations

from clauderon import airlock, names, proc
from clauderon.agents import heard, registry, setup
from clauderon.docker import failures, keys
from clauderon.errors import EXIT_TIMEOUT, BackendError, ClauderonError, CommandFailed, Conflict
from clauderon.proxy import service
from clauderon.record import Session
from clauderon.session import (
    container_exec,
    launch,
    parting,
    promotion,
    proxy_notify,
    resources,
    telling,
    unsafe,
)
from clauderon.session.context import Context, lock
from clauderon.session.delayed_progress import slow
from clauderon.session.lookup import find

STOP_GRACE_S = 10
IDLE_WAIT_S = 10.0
_NO_TERMINAL = b"is not a TTY"


def start(context: Context, name: str) -> Session:
    """Start a stopped session: the agent takes its conversation up again. No error if it runs."""
    session = find(context, name)
    with lock(context, session):
        session = find(context, name)
        return _start(context, session, "agent")


def _start(context: Context, session: Session, mode: str) -> Session:
    if session.archived:
        raise Conflict(f"start {session.name}", "it is archived", hint=f"clauderon unarchive {session.name}")
    proxy_notify.bring_up(context)
    container = names.container(session.name)
    detail = context.docker.container_inspect(container)
    if detail is not None and detail.running:
        return session
    unsafe.check_again(context, session)
    if session.timed_out and mode == "agent":
        session = context.store.update(session.id, timed_out=False)
    setup.set_mode(context.home, session, mode)
    container_exec.sweep(context.home.session_home(session.id))
    if detail is not None:
        try:
            context.docker.container_start(container)
            if mode == "agent":
                telling.tell(context, session, "start")
            return session
        except CommandFailed as failure:
            # The address or the network of a stopped container is not kept for it: make it anew.
            if not (failures.address_taken(failure) or failures.network_changed(failure)):
                raise failures.explain(failure, f"start {session.name}") from failure
        context.docker.container_remove(container)
    session = recreate(context, session, mode)
    if mode == "agent":
        telling.tell(context, session, "start")
    return session


def recreate(context: Context, session: Session, mode: str) -> Session:
    """Make the session's container again from its row (the engine lost it, or its network changed)."""
    agent = registry.find(context.config, session.agent)
    network = resources.network_name(context, session)
    inspection = resources.Inspection.start(context.docker, session.image, network)
    around = launch.surroundings(
        context,
        session,
        agent,
        inspection,
        policy=session.pull_policy,
        offline=f"docker pull {session.image}",
    )
    return launch.relaunch(context, session, agent, around, mode=mode)


def stop(context: Context, name: str, *, grace_s: int = STOP_GRACE_S) -> Session:
    """Stop a session and bring its commits over. No error if it is stopped."""
    session = find(context, name)
    with lock(context, session), slow(context.report, f"Stopping {session.name}"):
        context.docker.container_stop(names.container(session.name), grace_s)
        telling.tell(context, session, "stop")
        promotion.promote(context, session)
    sync_quietly(context, session)
    return session


def archive(context: Context, name: str) -> Session:
    """Stop a session and put it out of sight; nothing of it is removed."""
    session = stop(context, name)
    session = context.store.update(session.id, archived=True)
    service.reload(context.home, context.config, context.environ)
    return session


def unarchive(context: Context, name: str) -> Session:
    """Bring an archived session back, stopped."""
    session = find(context, name)
    session = context.store.update(session.id, archived=False)
    service.reload(context.home, context.config, context.environ)
    return session


def set_access_mode(context: Context, name: str, mode: str) -> Session:
    """Change what the proxy lets a session do, from its next request on."""
    session = find(context, name)
    session = context.store.update(session.id, access_mode=mode)
    service.reload(context.home, context.config, context.environ)
    return session


def sync_quietly(context: Context, session: Session) -> None:
    """Bring the session's commits over; a failure is said, since the command itself succeeded."""
    try:
        result = airlock.sync(context.home, session, context.environ)
    except ClauderonError as error:
        context.report.warn(str(error))
        return
    for note in result.notes:
        context.report.warn(note)


def running(context: Context, name: str, *, idle: bool = False) -> Session:
    """The session, with its container running and the proxy up. Raises Conflict if it is stopped.

    idle: start a stopped one without its agent, so that a command can be run in it; it ends by itself after.
    """
    session = find(context, name)
    detail = context.docker.container_inspect(names.container(session.name))
    if detail is not None and detail.running:
        proxy_notify.up(context)
        return session
    if not idle:
        raise Conflict(f"session {session.name}", "it is stopped", hint=f"clauderon start {session.name}")
    with lock(context, session):
        # Whoever held the lock may have deleted it.
        return _start(context, find(context, name), "idle")


def attach(context: Context, session: Session, detach_keys: str = keys.ATTACH) -> int:
    """Join the agent's terminal until the agent ends, whose status this is, or the person leaves, which is 0.

    Raises BackendError for what keeps docker from it.
    """
    words = ("attach", "--detach-keys", detach_keys, names.container(session.name))
    if session.print_mode:
        # It has no terminal: what comes on stderr is the agent's, and there are no keys to leave by.
        context.docker.replace(*words)
    argv = context.docker.argv(*words)
    answer = proc.visit(argv, env=context.docker.env)
    if container_exec.LEFT in answer.stderr:
        context.report.note(f"Session {session.name} keeps running. hint: clauderon attach {session.name}")
        return 0
    if answer.status and answer.stderr:
        what = f"attach {session.name}"
        if _NO_TERMINAL in answer.stderr:
            raise BackendError(what, "stdin is not a terminal", hint=f"clauderon logs -f {session.name}")
        raise failures.explain(CommandFailed(answer.argv, answer.status, b"", answer.stderr), what)
    sync_quietly(context, session)
    parting.say(context, session)
    return answer.status


def wait_start(context: Context, session: Session) -> proc.Running:
    """Begin to wait for the session's container; finish with `wait_finish`."""
    return context.docker.start("wait", names.container(session.name), what="wait").running


def wait_finish(context: Context, session: Session, waiting: proc.Running) -> int:
    """The agent's status once `waiting` has ended (or its end is waited for); its commits are brought over."""
    what = f"wait for {session.name}"
    try:
        answer = waiting.result(aloud=False)
    except CommandFailed as failure:
        if failures.is_missing(failure):
            raise failures.no_container(what, session.name) from failure
        raise failures.explain(failure, what) from failure
    # A session woken for `exec` ends with the idle shell's status; the agent's own was written down.
    recorded = heard.exit_status(context.home, session.id)
    status = int(answer.text.strip()) if recorded is None else recorded
    if (context.store.get(session.name) or session).timed_out:
        status = EXIT_TIMEOUT
    sync_quietly(context, session)
    context.store.update(session.id, exit_status=status)
    return status


def wait(context: Context, session: Session) -> int:
    """Wait until the session's container ends, however long; returns the agent's status."""
    return wait_finish(context, session, wait_start(context, session))
