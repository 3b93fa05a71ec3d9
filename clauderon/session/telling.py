"""Say that something was done to a session: an event for hooks and scripts, which can neither fail nor delay it."""

from __future__ import annotations

import contextlib
from typing import Any

from clauderon import events
from clauderon.record import Session
from clauderon.session.context import Context


def tell(context: Context, session: Session, kind: str, **more: Any) -> None:
    """kind: create, start, stop or delete; the others are the proxy's to notice."""
    with contextlib.suppress(OSError):
        events.append(context.home, kind, {**events.facts(session, context.home), **more})
