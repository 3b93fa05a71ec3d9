"""What the connections of one session share: its rights, its counters, its audit. No I/O of its own."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from clauderon.proxy.audit.record import AuditRecord
from clauderon.proxy.dataplane.tunnel import Tunnel
from clauderon.proxy.http.fields import FieldTable
from clauderon.proxy.http.problem import Problem
from clauderon.proxy.http.request import split_target
from clauderon.proxy.net.dial import Dialler
from clauderon.proxy.net.pool import Pool
from clauderon.proxy.net.turns import Turn, Turns
from clauderon.proxy.net.upstream import Key
from clauderon.proxy.policy.grant import Grant
from clauderon.proxy.policy.rules import Rules, Targets
from clauderon.proxy.policy.session import SessionPolicy
from clauderon.proxy.usage.meter import Meter

MAX_CONNECTIONS = 2000
MAIN = "main"


class Leaves(Protocol):
    """Server certificates (`ca.leaves.Authority`). Called on the event loop: mints once a host."""

    def server_context(self, host: str, *, apart: bool = False) -> ssl.SSLContext:
        """A server-side context with a leaf for `host` (normalised name, or an IP address without brackets).

        TLS 1.2 and newer, session tickets on, ALPN `http/1.1` alone. Begin the connection before you ask for the next
        host: several may share a context, which then shows another leaf (connections that have begun keep theirs).
        apart: one that shows no other host's, to change to in the middle of a handshake.
        """
        ...


class Lending(Protocol):
    """What one session is lent. The secrets were read before, so a look-up never blocks."""

    def grant(self, host: str, port: int) -> Grant | None:
        """The grant for a normalised host name (`hosts.normalise_host`), or None for a host without credential."""
        ...


class Credentials(Protocol):
    """The credential table (`secrets.grants`)."""

    @property
    def headers(self) -> frozenset[bytes]:
        """Lower-case names of every header any credential may travel in: removed from what a client sends."""
        ...

    def of(self, only: tuple[str, ...] | None, without: tuple[str, ...]) -> Lending:
        """What a session with these `credentials` and `no_credentials` is lent, now and after every change."""
        ...


class Audit(Protocol):
    """Where the data plane's records go."""

    def write(self, record: AuditRecord) -> None:
        """Take the record and return at once; writing, rotation and errors are the audit's own business."""
        ...


@dataclass(slots=True)
class Counters:
    """Running totals of one session since the worker started; `open_tunnels` is the present number."""

    requests: int = 0
    refusals: int = 0
    errors: int = 0
    tunnels: int = 0
    open_tunnels: int = 0
    bytes_up: int = 0
    bytes_down: int = 0

    def add(self, other: Counters) -> None:
        """Add another's totals, of a session that is gone; its tunnels are closed."""
        self.requests += other.requests
        self.refusals += other.refusals
        self.errors += other.errors
        self.tunnels += other.tunnels
        self.bytes_up += other.bytes_up
        self.bytes_down += other.bytes_down


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
    metrics: Callable[[], str] = str
    turns: Turns = field(init=False)

    def __post_init__(self) -> None:
        self.turns = Turns(self.pool.loop, self.pool.outbox)


class Connection(Protocol):
    """A client's connection, as its session knows it. idle: between requests, with none begun."""

    ticks: int

    @property
    def idle(self) -> bool:
        """Whether no request is in flight on it."""

    @property
    def tunnel(self) -> Tunnel | None:
        """The tunnel it is; None if it is none."""

    def tick(self) -> None:
        """A sweep counted `ticks` up."""
        ...

    def close(self) -> None:
        """Close it at once."""

    def drop(self) -> None:
        """End at once, whatever is going on."""
        ...


class Session:
    """One session at the proxy, or the main port (`main`), which has neither interception nor credentials."""

    def __init__(
        self, policy: SessionPolicy, targets: Targets, shared: Shared, *, main: bool = False
    ) -> None:
        self.shared = shared
        self.main = main
        self.rules = Rules(policy, targets)
        self.lent = shared.credentials.of(policy.credentials, policy.no_credentials)
        self.counters = Counters()
        self.clients: set[Connection] = set()
        self.turn = Turn(shared.turns)
        self.draining = False

    @property
    def policy(self) -> SessionPolicy:
        """What the session may do, as of now."""
        return self.rules.policy

    def swap(self, policy: SessionPolicy, targets: Targets) -> None:
        """Swap the rights. Tunnels that nobody looks into, and that the new rights would refuse, are closed."""
        before, self.rules = self.rules, Rules(policy, targets)
        self.lent = self.shared.credentials.of(policy.credentials, policy.no_credentials)
        if self.main:
            return
        for tunnel in [client.tunnel for client in self.clients if client.tunnel is not None]:
            if not self._may_go_on(tunnel.upstream.key, before):
                tunnel.over("rights-changed")

    def _may_go_on(self, key: Key, before: Rules) -> bool:
        verdict = self.rules.decide(key.host, key.port)
        if verdict.problem is not None:
            return False
        if verdict.finer and verdict != before.decide(key.host, key.port):
            return False  # how it began is no longer known
        if verdict.passthrough or not self.rules.read_only:
            return True
        grant = self.lent.grant(key.host, key.port)
        return grant is None or grant.model_api

    def joined(self, client: Connection) -> None:
        """A connection of this session's was made."""
        if not self.clients:
            self.shared.turns.came(self.turn)
        self.clients.add(client)

    def parted(self, client: Connection) -> None:
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
