"""Headless agents that wait for somebody to listen: told from those whose `create --print` was killed, and begun.

Must not begin an agent whose listener lives: what it prints would be lost to that.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from clauderon import filelock, names, paths
from clauderon.agents import setup
from clauderon.errors import CommandTimeout, Conflict
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
    if not session.print_mode or session.state != "running" or setup.mode(home, session) != "attached":
        return False
    if setup.activity(home, session.id):
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
            with suppress(CommandTimeout):  # `attach` may stay to the end of the container
                context.docker.run(
                    "attach", "--sig-proxy=false", container,
                    what=f"begin {session.name}", stdin=GO, timeout_s=_WAKING_S, aloud=False,
                )  # fmt: skip
        setup.set_mode(context.home, session, "agent")
        return running
    return False
