"""What happened to sessions, a JSON object a line: what hooks and scripts read. Knows files alone.

Who appends must not wait for it: a line that cannot be written is lost, and the caller says so if it can.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from typing import Any

from clauderon.paths import Home
from clauderon.record import Session

# At this size the file makes room for a new one; one earlier file is kept.
ROTATE_BYTES = 4 << 20
# This much of a file tells it from every other, since the time of its first event is in it.
_BEGINNING = 40


def append(home: Home, kind: str, facts: Mapping[str, Any]) -> None:
    """Write one event. kind: as `budget`; facts: what JSON can hold. Raises OSError."""
    line = json.dumps({"time": time.time(), "event": kind, **facts}, separators=(",", ":")).encode() + b"\n"
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(home.events, flags, 0o600)
    try:
        if os.write(descriptor, line) < len(line):
            os.write(descriptor, b"\n")  # the next one begins a line
            raise OSError("the disk is full")
        size = os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)
    if size > ROTATE_BYTES:
        home.events.replace(home.events.with_name(f"{home.events.name}.1"))


def facts(session: Session, home: Home) -> dict[str, Any]:
    """What an event says of its session."""
    return {
        "session": session.name,
        "id": session.id,
        "group": session.group,
        "agent": session.agent,
        "branch": session.branch,
        "repo": session.repo,
        "worktree": str(home.worktree(session.name)),
    }


class Tail:
    """Reads the events that come after its making; from_start: those before it as well, as far as they are kept."""

    def __init__(self, home: Home, *, from_start: bool = False) -> None:
        self._path = home.events
        self._earlier = home.events.with_name(f"{home.events.name}.1")
        self._from_start = from_start
        # How the file began that was read last, and how far it was read. An inode's number is soon another file's.
        self._begins, self._offset = b"", 0
        if not from_start:
            with contextlib.suppress(OSError):
                data = home.events.read_bytes()
                self._begins, self._offset = data[:_BEGINNING], len(data)

    def read(self) -> list[dict[str, Any]]:
        """The new ones, oldest first. A line that is none is passed over."""
        found: list[dict[str, Any]] = []
        for path in (self._earlier, self._path):
            with contextlib.suppress(OSError), path.open("rb") as file:
                begins = file.read(_BEGINNING)
                known = bool(self._begins) and begins.startswith(self._begins)
                if path == self._earlier and not known and not self._from_start:
                    continue
                at = self._offset if known else 0
                file.seek(at)
                whole, newline, _ = file.read().rpartition(b"\n")
                found += _parsed(whole.split(b"\n"))
                if whole or newline:
                    self._begins, self._offset = begins, at + len(whole) + len(newline)
        self._from_start = False
        return found


def _parsed(lines: list[bytes]) -> list[dict[str, Any]]:
    found = []
    for line in lines:
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict) and isinstance(event.get("event"), str):
                found.append(event)
    return found
