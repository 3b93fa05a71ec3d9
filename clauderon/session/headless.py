"""`create --print`: the agent's output as it comes, its status at the end, its work brought over."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from clauderon import names, proc
from clauderon.agents import answer, heard, setup
from clauderon.config.schema import Agent
from clauderon.errors import EXIT_SIGNAL_BASE, BackendError, Interrupted
from clauderon.known.answers import Answer
from clauderon.record import Session
from clauderon.session import lifecycle
from clauderon.session.background import Background
from clauderon.session.context import Context
from clauderon.session.delayed_progress import slow
from clauderon.session.unheard import GO, hold
from clauderon.store import Store

STOP_GRACE_S = 10
_NOT_COPIED = 1
_READER_LEFT = EXIT_SIGNAL_BASE + signal.SIGPIPE


_NONE = Answer("")


class Result(NamedTuple):
    """status: the agent's own, 124 when timed_out (its time was up); answer: what it printed, if that was collected."""

    status: int
    answer: Answer = _NONE
    timed_out: bool = False

    def row(self) -> dict[str, Any]:
        """The result as `data` of `create --print --json`."""
        return {"exit_status": self.status, **self.answer.row()}


def stream(context: Context, session: Session, *, began_before: bool = False) -> Result:
    """Copy the agent's stdout and stderr to ours, byte for byte, until it ends."""
    hold(context, session)
    if began_before:
        _wake(context, session)
    with _Deadline(context, session), _stopped_on_interrupt(context, session):
        copying = context.docker.foreground(*_words(session, began_before), stdin=GO).status
        if copying == _READER_LEFT and proc.reader_left():
            raise BrokenPipeError
        status = _status(context, session)
        timed_out = _timed_out(context, session)
    # docker's own status is 1, and the agent's where it had nothing to complain of.
    if copying == _NOT_COPIED != status and not timed_out:
        what = f"create {session.name}"
        raise BackendError(what, "its output could not be written", hint=f"clauderon logs {session.name}")
    return Result(status, timed_out=timed_out)


def collect(context: Context, session: Session, *, began_before: bool = False) -> Result:
    """Wait for the agent's end and take its whole stdout; its stderr goes to ours."""
    hold(context, session)
    if began_before:
        _wake(context, session)
    with _Deadline(context, session), _stopped_on_interrupt(context, session):
        with slow(context.report, f"Waiting for the agent of {session.name}"):
            taken = context.docker.foreground(*_words(session, began_before), stdin=GO, capture=True)
        # The agent was taken out of the configuration meanwhile: its output is printed as it is.
        agent = context.config.agents.get(session.agent) or Agent(name=session.agent)
        printed = answer.read(agent, taken.stdout.decode("utf-8", "replace"))
        status = _status(context, session)
        return Result(status, printed, _timed_out(context, session))


def _wake(context: Context, session: Session) -> None:
    """Send the line that a create killed before it listened never sent; the logs have what comes of it."""
    if heard.mode(context.home, session) == "attached":
        words = context.docker.argv(*_words(session, False))
        Background(lambda: proc.start(words, env=context.docker.env, stdin=GO).result(ok=None, aloud=False))


def _words(session: Session, began_before: bool) -> list[str]:
    """docker's words for listening: `attach`, since the logs keep text only and close every last line.

    began_before: found again by its idempotency key, so that what was printed meanwhile is in the logs alone.
    """
    container = names.container(session.name)
    return ["logs", "--follow", container] if began_before else ["attach", "--sig-proxy=false", container]


@contextmanager
def _stopped_on_interrupt(context: Context, session: Session) -> Iterator[None]:
    """A Ctrl-C means the agent, as it does with `docker run`: stop it, bring its commits over, then go.

    A reader that leaves, as `head` does, as well: the agent's next word ends it, as it would a program here.
    """
    try:
        yield
    except (KeyboardInterrupt, Interrupted, BrokenPipeError):
        context.report.note(
            f"Stopping {session.name}; its work is kept. hint: clauderon start {session.name}"
        )
        context.docker.container_stop(names.container(session.name), STOP_GRACE_S)
        lifecycle.sync_quietly(context, session)
        raise


def _status(context: Context, session: Session) -> int:
    setup.set_mode(context.home, session, "agent")
    return lifecycle.wait(context, session)


def _timed_out(context: Context, session: Session) -> bool:
    """Whether its time was up, whoever measured it: another command may have waited for the same session."""
    return (context.store.get(session.name) or session).timed_out


class _Deadline:
    """Stops the session's container when its time is up."""

    def __init__(self, context: Context, session: Session) -> None:
        self._context = context
        self._session = session
        self._container = names.container(session.name)
        self._timer = threading.Timer(session.timeout_s or 0, self._strike) if session.timeout_s else None

    def _strike(self) -> None:
        # Before the stop: whoever waits for this session elsewhere learns the same.
        with Store.open(self._context.home) as store:
            store.update(self._session.id, timed_out=True)
        self._context.docker.container_stop(self._container, STOP_GRACE_S)

    def __enter__(self) -> _Deadline:
        if self._timer:
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._timer:
            self._timer.cancel()
