"""One idempotency key is one session: finding it, also while another command is still making it. Makes nothing.

And one request: a key that comes again with another prompt is a mistake, and the first one's answer would be taken for
the second's.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from clauderon import files
from clauderon.errors import Conflict
from clauderon.record import Session
from clauderon.session.context import Context, is_locked
from clauderon.session.delayed_progress import slow

if TYPE_CHECKING:
    from clauderon.session.request import Request

# A create may have an image to pull and an agent to fetch.
WAIT_S = 1800.0
POLL_S = 0.1
# To finish what a killed command left. Other commands that wait may be doing the same.
ATTEMPTS = 3


def made_with(context: Context, key: str) -> Session | None:
    """The session made with this key, once it exists; None if there is none (any more).

    What a killed command left half-way is finished or undone first. Raises Conflict if another command stays at it.
    """
    found = context.store.by_idempotency(key)
    if found is None or _stands(found):
        return found
    from clauderon.session.reconcile import finish_interrupted

    with slow(context.report, f"Waiting for {found.name}, which another command is working on"):
        deadline, attempts = time.monotonic() + WAIT_S, 0
        while found is not None and not _stands(found):
            if is_locked(context, found):
                attempts = 0
            elif attempts < ATTEMPTS:
                attempts += 1
                finish_interrupted(context)
            else:
                raise _busy(found)
            if time.monotonic() > deadline:
                raise _busy(found)
            time.sleep(POLL_S)
            found = context.store.by_idempotency(key)
    return found


def check_same(context: Context, wanted: Request, found: Session) -> None:
    """Raises Conflict if the session found by the key of `wanted` was made for something else.

    Its name may be another: a script that makes one up at each run is what a key is for.
    """
    if wanted.print_mode and not found.print_mode:
        raise _other(found, "whose agent waits for a person")
    # A worktree has its repository elsewhere.
    place = wanted.repo.resolve()
    if Path(found.repo) not in (place, *place.parents) and not (place / ".git").is_file():
        raise _other(found, f"in another repository ({found.repo})")
    with suppress(OSError):
        made_for = files.read(context.home.session_dir(found.id) / "prompt")
        if wanted.prompt is not None and wanted.prompt != made_for:
            raise _other(found, "with another prompt")


def _other(found: Session, how: str) -> Conflict:
    return Conflict(
        "create",
        f"the idempotency key is that of session {found.name}, {how}",
        hint=f"clauderon delete {found.name}   # or choose another --idempotency-key",
    )


def _stands(session: Session) -> bool:
    return session.state == "running"


def _busy(session: Session) -> Conflict:
    return Conflict(
        f"session {session.name}",
        f"it was made with the same key, and is {session.state}",
        hint="clauderon reconcile",
    )
