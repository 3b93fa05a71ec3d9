"""What the connections of one session share: its rights, its counters, its audit. No I/O of its own."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clauderon.proxy.fields import FieldTable
from clauderon.proxy.interfaces import Audit, AuditRecord, Counters, Credentials, Leaves
from clauderon.proxy.policy import SessionPolicy
from clauderon.proxy.refusal import Problem
from clauderon.proxy.rules import Rules, Targets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clauderon.proxy.client import Client
    from clauderon.proxy.dial import Dialler
    from clauderon.proxy.upstream import Pool

MAX_CONNECTIONS = 2000
MAIN = "main"


@dataclass(slots=True)
class Shared:
    """What all sessions share. `table` is for `head.parse_request`, made from `headers`."""

    leaves: Leaves
    credentials: Credentials
    audit: Audit
    pool: Pool
    dialler: Dialler
    headers: frozenset[bytes]
    table: FieldTable
    health: Callable[[], Mapping[str, object]]
    main_port: int = 0


class Session:
    """One session at the proxy, or the main port (`main`), which has neither interception nor credentials."""

    def __init__(
        self, policy: SessionPolicy, targets: Targets, shared: Shared, *, main: bool = False
    ) -> None:
        self.shared = shared
        self.main = main
        self.rules = Rules(policy, targets)
        self.counters = Counters()
        self.clients: set[Client] = set()
        self.draining = False

    @property
    def policy(self) -> SessionPolicy:
        return self.rules.policy

    def swap(self, policy: SessionPolicy, targets: Targets) -> None:
        self.rules = Rules(policy, targets)

    def record(
        self,
        *,
        kind: str,
        host: str,
        port: int,
        method: bytes,
        path: bytes,
        status: int,
        rule: str,
        started: float | None = None,
        up: int = 0,
        down: int = 0,
        duration: float = 0.0,
        credential: str | None = None,
        upgrade: str | None = None,
        problem: Problem | None = None,
        error: str | None = None,
    ) -> None:
        """Count and audit. `problem` fills in `refused`, `rule` and `error`."""
        counters = self.counters
        refused = False
        if problem is not None:
            refused = problem.refused
            if refused:
                counters.refusals += 1
                rule = problem.rule or problem.code
            else:
                counters.errors += 1
                error = problem.code
        elif error is not None:
            counters.errors += 1
        counters.bytes_up += up
        counters.bytes_down += down
        policy = self.rules.policy
        self.shared.audit.write(
            AuditRecord(
                time.time() - duration if started is None else started,
                kind,
                policy.id,
                policy.name,
                host,
                port,
                method.decode("ascii", "replace"),
                path[:2048].decode("utf-8", "backslashreplace"),
                status,
                up,
                down,
                duration,
                rule,
                credential,
                refused,
                upgrade,
                error,
            )
        )
