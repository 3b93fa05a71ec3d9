"""What the connections of one session share: its rights, its counters, its audit. No I/O of its own."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clauderon.proxy.http.fields import FieldTable
from clauderon.proxy.http.problem import Problem
from clauderon.proxy.http.request import split_target
from clauderon.proxy.interfaces import Audit, AuditRecord, Counters, Credentials, Leaves
from clauderon.proxy.net.turns import Turn, Turns
from clauderon.proxy.policy.rules import Rules, Targets
from clauderon.proxy.policy.session import SessionPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clauderon.proxy.dataplane.client import Client
    from clauderon.proxy.net.dial import Dialler
    from clauderon.proxy.net.pool import Pool
    from clauderon.proxy.net.upstream import Key
    from clauderon.proxy.usage.meter import Meter

MAX_CONNECTIONS = 2000
MAIN = "main"


@dataclass(slots=True)
class Shared:
    """What all sessions share. `table` is for `request.parse_request`, made from `headers`."""

    leaves: Leaves
    credentials: Credentials
    audit: Audit
    pool: Pool
    dialler: Dialler
    headers: frozenset[bytes]
    table: FieldTable
    health: Callable[[], Mapping[str, object]]
    meter: Meter | None = None
    main_port: int = 0
    turns: Turns = field(init=False)

    def __post_init__(self) -> None:
        self.turns = Turns(self.pool.loop, self.pool.outbox)


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
        self.turn = Turn(shared.turns)
        self.draining = False

    @property
    def policy(self) -> SessionPolicy:
        return self.rules.policy

    def swap(self, policy: SessionPolicy, targets: Targets) -> None:
        """Other rights from now on. What is not looked into any more ends if it would not be let through again."""
        self.rules = Rules(policy, targets)
        if self.main:
            return
        for tunnel in [client.tunnel for client in self.clients if client.tunnel is not None]:
            if not self._may_go_on(tunnel.upstream.key):
                tunnel.over("rights-changed")

    def _may_go_on(self, key: Key) -> bool:
        verdict = self.rules.decide(key.host, key.port)
        if verdict.problem is not None:
            return False
        if verdict.passthrough or not self.rules.read_only:
            return True
        grant = self.shared.credentials.grant(key.host, key.port)
        return grant is None or grant.model_api

    def joined(self, client: Client) -> None:
        """A connection of this session's was made."""
        if not self.clients:
            self.shared.turns.came(self.turn)
        self.clients.add(client)

    def parted(self, client: Client) -> None:
        """A connection of this session's is gone."""
        if client in self.clients:
            self.clients.remove(client)
            if not self.clients:
                self.shared.turns.left(self.turn)

    def note(self, record: AuditRecord) -> None:
        """Count and audit."""
        counters = self.counters
        if record.refused:
            counters.refusals += 1
        elif record.error is not None:
            counters.errors += 1
        counters.bytes_up += record.bytes_up
        counters.bytes_down += record.bytes_down
        self.shared.audit.write(record)

    def record(
        self,
        *,
        kind: str,
        host: str,
        port: int,
        method: bytes,
        path: str = "",
        status: int,
        rule: str,
        up: int = 0,
        down: int = 0,
        started: float | None = None,
        problem: Problem | None = None,
        error: str | None = None,
    ) -> None:
        """Note what is not an exchange. `problem` fills in `refused`, `rule` and `error`."""
        now = time.time()
        policy = self.rules.policy
        refused = problem is not None and problem.refused
        if problem is not None:
            if refused:
                rule = problem.rule or problem.code
            else:
                error = problem.code
        self.note(
            AuditRecord(
                time=now if started is None else started,
                kind=kind,
                session=policy.id,
                session_name=policy.name,
                host=host,
                port=port,
                method=method.decode("ascii", "replace"),
                path=path,
                status=status,
                bytes_up=up,
                bytes_down=down,
                duration=0.0 if started is None else max(0.0, now - started),
                rule=rule,
                refused=refused,
                error=error,
            )
        )


def audit_host(named: bytes) -> str:
    """What a client called a host, when that was refused: in a length that hosts have, and without a password."""
    return named.rpartition(b"@")[2][:260].decode("ascii", "replace")


def audit_path(target: bytes) -> str:
    """The path of a request target without its query, and without what an absolute form has before it."""
    if target[:1] == b"/":
        path = target.partition(b"?")[0]
    else:
        path = split_target(target)[0]
        if path[:1] != b"/":
            path = path.rpartition(b"@")[2]  # neither a path nor a URL of ours: no password of it either
    return path[:2048].decode("utf-8", "backslashreplace")
