"""Headless agents that wait for somebody to listen: told from those whose `create --print` was killed, and begun.

Must not begin an agent whose listener lives: what it prints would be lost to that.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from clauderon import filelock, names, paths
from clauderon.agents import heard
from clauderon.docker import failures
from clauderon.errors import CommandFailed, CommandTimeout, Conflict
from clauderon.record import Session
from clauderon.session.context import Context, lock
from clauderon.store import Store

# The line the start script waits for: by the time it arrives, what the agent prints is listened to.
GO = b"go\n"
# A dry run's script holds no lock between its `docker run` and its last step.
_SCRIPT_S = 10.0
_WAKING_S = 10.0


def lock_path(home: paths.Home, session_id: str) -> Path:
    """The lock that a `create --print` holds while it listens to its agent."""
    return home.locks / f"{session_id}.print.lock"


def hold(context: Context, session: Session) -> None:
    """Say, until this process ends, that it listens or is going to."""
    filelock.take(lock_path(context.home, session.id))  # its descriptor stays open, so the lock ends with us


def is_unheard(home: paths.Home, session: Session) -> bool:
    """Whether the session's agent, if its container runs, waits for a listener that is gone."""
    if not session.print_mode or session.state != "running" or heard.mode(home, session) != "attached":
        return False
    if heard.activity(home, session.id):
        return False  # it has begun
    held = lock_path(home, session.id)
    return not filelock.is_held(held) and (held.exists() or time.time() - session.updated_at > _SCRIPT_S)


def unheard(home: paths.Home, store: Store) -> list[Session]:
    """The sessions of which `is_unheard` holds."""
    return [session for session in store.all() if is_unheard(home, session)]


def begin(context: Context, session: Session) -> bool:
    """Have the agent begin; the logs have what it prints. Returns False where there was nothing to begin."""
    with suppress(Conflict), lock(context, session, wait_s=0):
        if not is_unheard(context.home, session):
            return False
        container = names.container(session.name)
        detail = context.docker.container_inspect(container)
        running = detail is not None and detail.running
        if running:
            _wake(context, session, container)
        from clauderon.agents import setup

        setup.set_mode(context.home, session, "agent")
        return running
    return False


def begin_aloud(context: Context, sessions: Iterable[Session]) -> None:
    """The same for those that wait, with a word about each: whoever waits for one of them would wait for ever."""
    for session in sessions:
        if is_unheard(context.home, session) and begin(context, session):
            context.report.note(
                f"The agent of {session.name}, whose create --print was killed, has begun. "
                f"hint: clauderon logs -f {session.name}"
            )


def _wake(context: Context, session: Session, container: str) -> None:
    words = ("attach", "--sig-proxy=false", container)
    try:
        context.docker.attempt(*words, stdin=GO, timeout_s=_WAKING_S, aloud=False)
    except CommandTimeout:
        pass  # it stays to the end of the container
    except CommandFailed as failure:
        # The status is the agent's if that has ended meanwhile.
        if heard.exit_status(context.home, session.id) is None:
            raise failures.explain(failure, f"begin {session.name}") from failure
