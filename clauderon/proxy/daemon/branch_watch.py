"""Notices, about once a second, that a session's branch moved inside, and starts `clauderon sync` for it.

Reads one small file a session and runs no git; what the container wrote is the sync's to judge.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clauderon import proc
from clauderon.paths import Home

if TYPE_CHECKING:
    import subprocess

# Further sessions wait: commits in many sessions at once must not start as many gits.
AT_ONCE = 2
# After a sync a session rests this many times as long as it took, at most ten minutes. So a session that makes its
# syncs slow takes no more than a part of one core.
QUICK_S = 2.0
REST = 4
LONGEST_REST_S = 600.0


@dataclass(slots=True)
class _Seen:
    record: str
    tip: str | None


class BranchWatch:
    """Which branches were where at the last look, and the syncs under way."""

    def __init__(self, home: Home, environ: Mapping[str, str]) -> None:
        self._home = home
        self._environ = {**environ, "CLAUDERON_HOME": str(home.root)}
        self._seen: dict[str, _Seen] = {}
        self._moved: dict[str, str] = {}
        self._running: dict[str, tuple[subprocess.Popen[bytes], float]] = {}
        self._resting: dict[str, float] = {}

    def set_sessions(self, records: Mapping[str, str]) -> None:
        """The sessions to watch: id to `record.Session.to_json`. A new one is compared to its last sync,
        or to where it began."""
        for gone in self._seen.keys() - records.keys():
            del self._seen[gone]
            self._moved.pop(gone, None)
            self._resting.pop(gone, None)
        for session_id, record in records.items():
            if session_id in self._seen:
                self._seen[session_id].record = record
            else:
                self._seen[session_id] = _Seen(record, self._synced(session_id) or _base(record))

    def look(self) -> None:
        """Look at every branch, start what is due, and reap what is done."""
        now = time.monotonic()
        for session_id, (child, since) in list(self._running.items()):
            if child.poll() is not None:
                del self._running[session_id]
                took = now - since
                self._resting[session_id] = now + min(took * REST, LONGEST_REST_S) if took > QUICK_S else 0.0
        for session_id, seen in self._seen.items():
            name, tip = self._tip(seen.record)
            if tip is not None and tip != seen.tip:
                seen.tip = tip
                self._moved[session_id] = name
        for session_id in list(self._moved):
            if len(self._running) >= AT_ONCE:
                break
            if session_id not in self._running and self._resting.get(session_id, 0.0) <= now:
                self._start(session_id, self._moved.pop(session_id))

    def stop(self) -> None:
        """Let syncs under way finish on their own; they hold locks of their own and survive us."""
        self._running.clear()

    def _start(self, session_id: str, name: str) -> None:
        # `--` keeps a name from ever being read as an option.
        argv = [sys.executable, "-P", "-m", "clauderon", "sync", "--quiet", "--", name]
        with contextlib.suppress(Exception):
            self._running[session_id] = proc.attend(argv, env=self._environ), time.monotonic()

    def _tip(self, record: str) -> tuple[str, str | None]:
        from clauderon import airlock
        from clauderon.record import Session

        try:
            session = Session.from_json(record)
            return session.name, airlock.tip(self._home, session)
        except (OSError, ValueError):
            return "", None

    def _synced(self, session_id: str) -> str | None:
        from clauderon.airlock.layout import host_side

        try:
            return host_side(self._home, session_id).synced.read_text("ascii").strip() or None
        except (OSError, ValueError):
            return None


def _base(record: str) -> str | None:
    from clauderon.record import Session

    try:
        return Session.from_json(record).base
    except ValueError:
        return None
