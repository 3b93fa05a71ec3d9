"""What a person is told who was there when an agent ended: how, what there is of its work, what to type next."""

from __future__ import annotations

from clauderon import airlock, grammar
from clauderon.errors import ClauderonError
from clauderon.record import Session
from clauderon.session import query
from clauderon.session.context import Context

_ENDINGS = {
    "stopped": "it was stopped",
    "missing": "its container is gone",
}


def say(context: Context, session: Session) -> None:
    """Say it, unless the session goes on. The commits are brought over already."""
    try:
        view = query.view(context, session)
    except ClauderonError as error:
        context.report.warn(str(error))
        return
    if view.state not in ("done", "failed", "timed-out", *_ENDINGS):
        return
    ending = _ENDINGS.get(view.state, f"the agent ended with status {view.exit_status}")
    if view.state == "timed-out":
        ending = f"its time limit of {grammar.seconds_text(session.timeout_s or 0)} was up, so it was stopped"
    work, first = _work(context, session)
    # Without a terminal its words go to the log, and it has no keys to leave by.
    look = "logs -f" if session.print_mode else "attach"
    again = f"clauderon start {session.name} && clauderon {look} {session.name}"
    hint = f"{first}   # or go on: {again}" if first else f"{again}   # or: clauderon delete {session.name}"
    context.report.note(f"Session {session.name}: {ending}; {work}.\nhint: {hint}")


def _work(context: Context, session: Session) -> tuple[str, str]:
    """(what there is of its work, in words; what to type for it, "" for none)."""
    try:
        state = airlock.state(context.home, session, context.environ, unmerged=False)
    except ClauderonError as error:
        return f"its work cannot be looked at ({error})", f"clauderon status {session.name}"
    commits = f"{state.ahead or 'no'} commit{'' if state.ahead == 1 else 's'} on {session.branch}"
    left = f", {state.dirty} uncommitted" if state.dirty else ""
    if not state.ahead:
        return commits + left, f"clauderon diff {session.name}" if state.dirty else ""
    return commits + left, f"clauderon {'diff' if left else 'merge'} {session.name}"
