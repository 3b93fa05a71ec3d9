"""What a session's container has written of itself: its mode, what its agent does, the status it ended with.

Reads a few bytes and believes only words that are known. Apart from `setup`, which knows every agent: `list`, `status`
and the proxy ask this often.
"""

from __future__ import annotations

from clauderon.confined import read
from clauderon.paths import Home
from clauderon.record import Session

_WORD_BYTES = 64


def mode(home: Home, session: Session) -> str:
    """What the container does at its next start, as `setup.set_mode` or `setup.prepare` wrote it last."""
    return (read(home.session_dir(session.id), "mode", _WORD_BYTES) or b"").decode().strip()


def activity(home: Home, session_id: str) -> str:
    """What the agent is doing: `working`, `waiting` (for the person), `done`, `stopped`, or "" if it has not said."""
    return said(home, session_id)[0]


def said(home: Home, session_id: str) -> tuple[str, str]:
    """`activity`, and what it waits for: `permission`, `answer`, or "" where it has not said."""
    # Written by a container: believe only what we know.
    words = (read(home.session_home(session_id), ".clauderon/activity", _WORD_BYTES) or b"").split()
    first, second = [word.decode("ascii", "replace") for word in [*words, b"", b""][:2]]
    if len(words) > 2 or first not in ("working", "waiting", "done", "stopped"):
        return "", ""
    if second and not (first == "waiting" and second in ("permission", "answer")):
        return "", ""
    return first, second


def exit_status(home: Home, session_id: str) -> int | None:
    """The status the agent ended with last, or None while it runs and before it ever ended."""
    text = (read(home.session_home(session_id), ".clauderon/status", _WORD_BYTES) or b"").strip()
    return int(text) if text.isdigit() and int(text) < 256 else None
