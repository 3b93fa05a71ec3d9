"""Which refusals and failures get a line of the audit to themselves, and which are counted. Pure; no I/O, no clock.

A container can be refused some ten thousand times a second. What says the same again within a second is counted with
the first, and more different ones than anybody would read are counted by their rule.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from clauderon.proxy.audit.record import AuditRecord

WINDOW_S = 1.0
# Different refusals of one session that get lines: so many at once, and so many a second.
BURST = 200.0
PER_S = 20.0
_SESSIONS = 2048


class Counted(NamedTuple):
    """So many times a record has no line of its own; `record` is the last. same: they all say the same."""

    record: AuditRecord
    times: int
    same: bool


class _Tally:
    """What was counted since a line was made."""

    __slots__ = ("record", "since", "times")

    def __init__(self, since: float, record: AuditRecord) -> None:
        self.since = since
        self.record = record
        self.times = 0


class _Session:
    __slots__ = ("alike", "at", "ruled", "tokens")

    def __init__(self, at: float) -> None:
        self.at = at
        self.tokens = BURST
        self.alike: dict[Hashable, _Tally] = {}
        self.ruled: dict[Hashable, _Tally] = {}


class Repeats:
    """The counts of every session. The caller must let only one thread at a time use it."""

    def __init__(self) -> None:
        self._sessions: dict[str, _Session] = {}

    @property
    def waiting(self) -> bool:
        """Whether `due` has something to give, sooner or later."""
        return bool(self._sessions)

    def admit(self, record: AuditRecord) -> bool:
        """Whether this record gets a line now; else it is counted. What lent a credential or passed always does."""
        if record.credential is not None or not (record.refused or record.error is not None):
            return True
        now = record.time + record.duration
        session = self._sessions.get(record.session)
        if session is None:
            session = self._sessions[record.session] = _Session(now)
        says = (record.kind, record.host, record.port, record.method, record.path, *_ruling(record))
        tally = session.alike.get(says)
        if tally is None:
            session.tokens = min(BURST, session.tokens + max(0.0, now - session.at) * PER_S)
            session.at = now
            if session.tokens >= 1:
                session.tokens -= 1
                session.alike[says] = _Tally(now, record)
                return True
            tally = session.ruled.setdefault(_ruling(record), _Tally(now, record))
        tally.record = record
        tally.times += 1
        return False

    def due(self, now: float, *, everything: bool = False) -> list[Counted]:
        """What was counted for a second or longer; it is forgotten here."""
        found = []
        for name, session in list(self._sessions.items()):
            for table, same in ((session.alike, True), (session.ruled, False)):
                for key, tally in list(table.items()):
                    if everything or abs(now - tally.since) >= WINDOW_S:
                        del table[key]
                        if tally.times:
                            found.append(Counted(tally.record, tally.times, same))
            idle = not session.alike and not session.ruled
            if idle and (
                everything or abs(now - session.at) * PER_S >= BURST or len(self._sessions) > _SESSIONS
            ):
                del self._sessions[name]
        return found


def _ruling(record: AuditRecord) -> tuple[Hashable, ...]:
    return (record.kind, record.status, record.rule, record.error)
