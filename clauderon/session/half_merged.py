"""Merges that were killed between the files of the user's checkout and its branch: found, and taken back."""

from __future__ import annotations

from clauderon import airlock
from clauderon.errors import ClauderonError
from clauderon.record import Session
from clauderon.session.context import Context, checkout_lock


def found(context: Context) -> list[Session]:
    """The sessions whose merge stopped half-way."""
    return [
        session
        for session in context.store.all()
        if airlock.is_half_merged(context.home, session, context.environ)
    ]


def undo(context: Context, session: Session) -> bool:
    """Take the files back, and say so; a failure is said as well. Returns whether it was done."""
    try:
        with checkout_lock(context, session):
            undone = airlock.undo_killed(
                context.home, session, context.environ, context.config.git.trusted_filters
            )
    except ClauderonError as error:
        context.report.warn(f"{error}; to change that: {error.hint}")
        return False
    if undone:
        context.report.note(
            f"The merge of {session.name}, left half-way by a killed command, was undone. "
            f"hint: clauderon merge {session.name}"
        )
    return undone
