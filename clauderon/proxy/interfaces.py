"""What the proxy's data plane asks of the life around it, and what it offers back. Types only, no behaviour."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from clauderon.config.schema import Proxy
from clauderon.proxy.http.needles import Needles
from clauderon.proxy.policy.session import SessionPolicy


class Leaves(Protocol):
    """The CA (`ca/leaves.py`). Mints once per host and caches; called on the event loop, so it must stay cheap."""

    def server_context(self, host: str, *, apart: bool = False) -> ssl.SSLContext:
        """A server-side context with a leaf for `host` (normalised name, or an IP address without brackets).

        TLS 1.2 and newer, session tickets on, ALPN `http/1.1` alone. Begin the connection before you ask for the next
        host: several may share a context, which then shows another leaf (connections that have begun keep theirs).
        apart: one that shows no other host's, to change to in the middle of a handshake.
        """
        ...


@dataclass(frozen=True, slots=True)
class Grant:
    """What a credential means for one host. Printing it never shows the secret.

    name:   the credential's name in the configuration, for the audit.
    header: the header it travels in, lower case.
    value:  the header's whole value, or None while no secret is set. Then the client's own credential headers are
            removed all the same, and `hint` says what would supply the secret.
    needles: the forms of the secret that must not come back to the client; None while no secret is set, and for one
            that is too short to look for.
    websocket: a request may become a WebSocket, in which a secret that comes back is not seen.
    model_api: read-only sessions may send it POST; without a secret its requests are refused with `hint`.
    git: these hosts serve git, so that read-only sessions may fetch from them.
    elsewhere: the credential belongs to other ports of this host; nothing is lent, `hint` says how to name this one.
    """

    name: str
    header: bytes
    value: bytes | None = field(repr=False)
    needles: Needles | None = field(default=None, repr=False)
    hint: str = ""
    model_api: bool = False
    git: bool = False
    elsewhere: bool = False
    websocket: bool = False

    @property
    def may_come_back(self) -> bool:
        """Whether this host was sent a secret, by this request or another."""
        return self.value is not None or self.needles is not None


class Credentials(Protocol):
    """The credential table (`secrets/grants.py`). Secrets were resolved beforehand; a look-up never blocks."""

    @property
    def headers(self) -> frozenset[bytes]:
        """Lower-case names of every header any credential may travel in: removed from what a client sends."""
        ...

    def grant(self, host: str, port: int) -> Grant | None:
        """The grant for a normalised host name (`hosts.normalise_host`), or None for a host without credential."""
        ...


class AuditRecord(NamedTuple):
    """One line of the audit. Nothing here may hold a secret: the path has no query.

    time: seconds since the epoch at the request's start; duration: seconds.
    kind: `request`, `tunnel` (raw: passthrough, main port), `upgrade` or `connection` (no request was understood).
    status: what the client was answered, 0 if it left before there was a status.
    rule: the rule that decided (`allow *.github.com`, `deny x`, `read-only`, `open`, `address-guard`, ...).
    refused: by us, by policy; `error` names a failure that is not policy (`upstream-tls`, `upstream-reset`, ...).
    """

    time: float
    kind: str
    session: str
    session_name: str
    host: str
    port: int
    method: str
    path: str
    status: int
    bytes_up: int
    bytes_down: int
    duration: float
    rule: str
    credential: str | None = None
    refused: bool = False
    upgrade: str | None = None
    error: str | None = None


class Audit(Protocol):
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


class DataPlaneLike(Protocol):
    """`server.DataPlane(leaves=, credentials=, audit=, settings=, environ=)`, as the worker uses it.

    Sockets are bound and listening already (the supervisor holds them across workers); the data plane takes them
    over and closes its own duplicate. All methods run on the event loop's thread.
    """

    @property
    def counters(self) -> Mapping[str, Counters]:
        """By session id; the main port's under `main`."""
        ...

    async def listen_session(self, policy: SessionPolicy, sockets: Iterable[socket.socket]) -> None:
        """Serve one session on these sockets; once more for a session adds sockets to it."""
        ...

    async def listen_main(
        self, sockets: Iterable[socket.socket], health: Callable[[], Mapping[str, object]]
    ) -> None:
        """Serve the main port: the health document, and a plain tunnel for loopback callers. Again adds sockets."""
        ...

    def update_policy(self, policy: SessionPolicy) -> None:
        """Swap a live session's rights; the next request sees them, inside open tunnels too."""
        ...

    def update_credentials(self) -> None:
        """The table behind `credentials` was swapped; its `headers` may be others now."""
        ...

    def update_settings(self, settings: Proxy) -> None:
        """Swap connect_to, passthrough, upstream_ca and upstream_proxy; pooled connections are dropped."""
        ...

    async def close_session(self, session_id: str) -> None:
        """Stop listening for the session and drop its connections."""
        ...

    async def drain(self, timeout: float) -> None:
        """Stop accepting, let requests in flight finish for `timeout` seconds, then close everything."""
        ...
