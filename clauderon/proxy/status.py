"""What a running service says of itself, as values for `proxy status`. Types and parsing only; holds no secret."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple


class SessionStatus(NamedTuple):
    """One session at the proxy. Counters are totals since the worker started, `open_tunnels` is the present number.

    unsafe: it was given what undoes its protection, aloud. problem: why its port does not listen, or empty.
    """

    id: str
    name: str
    port: int
    access_mode: str
    requests: int
    refusals: int
    errors: int
    tunnels: int
    open_tunnels: int
    bytes_up: int
    bytes_down: int
    problem: str
    unsafe: bool = False


class ServiceStatus(NamedTuple):
    """A running service. Times are seconds since the epoch.

    pid: of the worker; supervisor_pid: of the process that keeps it. restarts: workers that were replaced.
    held: credentials that have a secret, by name, with its origin. lacking: those whose command has not run yet.
    problems: sentences for people.
    """

    version: str
    pid: int
    supervisor_pid: int
    home: str
    port: int
    started_at: float
    worker_started_at: float
    restarts: int
    held: Mapping[str, str]
    lacking: tuple[str, ...]
    problems: tuple[str, ...]
    listeners: tuple[str, ...]
    ca_fingerprint: str
    ca_not_after: float
    audit_dropped: int
    audit_problem: str
    sessions: tuple[SessionStatus, ...]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ServiceStatus:
        """Raises ValueError for the answer of something that is not our service, or of an older one."""
        try:
            values = {name: data[name] for name in cls._fields}
            for name in ("lacking", "problems", "listeners"):
                values[name] = tuple(values[name])
            values["sessions"] = tuple(SessionStatus(**session) for session in values["sessions"])
            return cls(**values)
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a status of this version: {error}") from error

    def row(self) -> dict[str, Any]:
        """For `output`: scalars first, then lists and tables."""
        return {
            "version": self.version,
            # The one to signal, and to watch: it outlives its workers.
            "pid": self.supervisor_pid,
            "worker_pid": self.pid,
            "port": self.port,
            "uptime_s": round(time.time() - self.started_at),
            "restarts": self.restarts,
            "requests": sum(session.requests for session in self.sessions),
            "refusals": sum(session.refusals for session in self.sessions),
            "bytes_up": sum(session.bytes_up for session in self.sessions),
            "bytes_down": sum(session.bytes_down for session in self.sessions),
            "ca_fingerprint": self.ca_fingerprint,
            "ca_expires": time.strftime("%Y-%m-%d", time.gmtime(self.ca_not_after)),
            "audit_dropped": self.audit_dropped,
            "audit_problem": self.audit_problem,
            "credentials": dict(self.held),
            "problems": list(self.problems),
            "listeners": list(self.listeners),
            "sessions": [session._asdict() for session in self.sessions],
        }
