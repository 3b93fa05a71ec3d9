"""What a credential means for one host. A value; only the request that it is lent to may show its secret."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from clauderon.proxy.http.needles import Needles


class Scope(NamedTuple):
    """A credential that is lent for the session's own repositories (`scope`).

    fetch: `any`, or `remotes` where reading is for these repositories too. repositories: paths of more of them on the
    credential's hosts. mutations: of GraphQL, by name, that may pass all the same.
    """

    fetch: str = "any"
    repositories: tuple[str, ...] = ()
    mutations: tuple[str, ...] = ()


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
    scope: for which repositories it is lent; None for everything it can do.
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
    scope: Scope | None = None

    @property
    def may_come_back(self) -> bool:
        """Whether this host was sent a secret, by this request or another."""
        return self.value is not None or self.needles is not None
