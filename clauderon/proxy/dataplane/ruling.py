"""What the judge can decide about a request, apart from refusing it. Values; whoever asked acts on them."""

from __future__ import annotations

from typing import NamedTuple

from clauderon.proxy.net.upstream import Key
from clauderon.proxy.policy.gate import Gate
from clauderon.proxy.policy.grant import Grant, Lease


class Forward(NamedTuple):
    """Send `message`, the request's head as it goes on, to `key`. rule: what allowed it. grant: the host's, if any."""

    message: bytes
    key: Key
    rule: str
    grant: Grant | None


class Held(NamedTuple):
    """The same, once the beginning of the request's body has passed the gate."""

    forward: Forward
    gate: Gate


class Intercept(NamedTuple):
    """Accept the CONNECT to `host` and `port`, and read what comes in the tunnel."""

    host: str
    port: int


class Passthrough(NamedTuple):
    """Join the client to `host` and `port`, and read nothing. rule: what allowed it."""

    host: str
    port: int
    rule: str


class Page(NamedTuple):
    """Answer with a document of our own: the health document, as JSON, or the metrics."""

    body: bytes
    kind: bytes = b"application/json"


class Ask(NamedTuple):
    """A login's client asks its issuer: answer it ourselves, once the token that `lease` lends is good."""

    lease: Lease


class Wait(NamedTuple):
    """The token has ended: judge the request again once `lease` has another."""

    lease: Lease


# On a request for a host.
Judged = Forward | Held | Ask | Wait
Ruling = Judged | Intercept | Passthrough | Page
