"""Waiting for several sessions at once."""

from __future__ import annotations

import time
from collections.abc import Sequence

from clauderon import names
from clauderon.proc import Running
from clauderon.record import Session
from clauderon.session import lifecycle, unheard
from clauderon.session.context import Context
from clauderon.session.lookup import find

POLL_S = 0.25


def wait_for(
    context: Context, asked: Sequence[str], *, first: bool, timeout_s: float | None
) -> dict[str, int]:
    """Wait for all sessions (or the first to end); returns name to status of those that ended.

    All are looked up before the first wait. Raises what one of the waits raised.
    """
    sessions = [find(context, name) for name in asked]
    unheard.begin_aloud(context, sessions)
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    ended: dict[str, int] = {}
    pending: dict[Running, Session] = {}
    try:
        for session in sessions:
            pending[lifecycle.wait_start(context, session)] = session
        while pending:
            late = deadline is not None and time.monotonic() >= deadline
            done = [waiting for waiting in pending if waiting.ended()]
            if late and not (first and done):
                # A wait that is shorter than docker's answer asks which sessions have ended.
                done = [waiting for waiting, session in pending.items() if _has_ended(context, session)]
            for waiting in done:
                session = pending.pop(waiting)
                ended[session.name] = lifecycle.wait_finish(context, session, waiting)
            if (first and ended) or late:
                break
            if not done:
                time.sleep(POLL_S if deadline is None else min(POLL_S, max(0.0, deadline - time.monotonic())))
    finally:
        for waiting in pending:
            waiting.stop()
    return ended


def _has_ended(context: Context, session: Session) -> bool:
    """Whether waiting for it is over at once: it does not run, or is not there."""
    detail = context.docker.container_inspect(names.container(session.name))
    return detail is None or not detail.running
