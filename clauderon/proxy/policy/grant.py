"""What a credential means for one host. A value; only the request that it is lent to may show its secret."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol
from urllib.parse import unquote_to_bytes

from clauderon.proxy.http.needles import Needles
from clauderon.proxy.http.request import split_target

# Characters for which a server may rewrite a path before it looks at it.
_UNCLEAR = re.compile(rb"[%\\;]|/\.|//")

_LAYERS = 4  # of percent-encoding that are looked through


class Lease(Protocol):
    """A token that ends, and that somebody renews. Asked on the event loop: answers at once."""

    client: str

    def is_stale(self) -> bool:
        """Whether it is not good any more: requests wait until it was renewed."""
        ...

    def refused(self) -> None:
        """A host said that it is not good, whatever its date."""
        ...

    def answer(self) -> dict[str, Any]:
        """What its client is told inside when it asks its issuer; no secret is in it."""
        ...

    async def renewed(self) -> str:
        """Wait until there is another, or until it is clear that there is none now: then why, for people."""
        ...


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
    more: further field lines, each behind CR LF, that go with `value`.
    paths: only requests below one of them get the value; empty for all.
    lease: of a login's token, that it may have to be renewed. asking: paths where the login's client asks its issuer.
    withheld: the secret is set, and this session is not lent it; `hint` says how one is.
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
    withheld: bool = False
    websocket: bool = False
    scope: Scope | None = None
    more: bytes = field(default=b"", repr=False)
    paths: tuple[bytes, ...] = ()
    lease: Lease | None = field(default=None, compare=False, repr=False)
    asking: tuple[bytes, ...] = ()

    @property
    def may_come_back(self) -> bool:
        """Whether this host was sent a secret, by this request or another."""
        return self.value is not None or self.needles is not None

    def is_lent_at(self, target: bytes) -> bool:
        """Whether a request for this target (origin form) gets the value."""
        if not self.paths:
            return True
        path = target.partition(b"?")[0]
        return not _UNCLEAR.search(path) and any(
            # Google's paths end with what is to be done: `/v1internal:countTokens`.
            path == below or path.startswith((below.rstrip(b"/") + b"/", below.rstrip(b"/") + b":"))
            for below in self.paths
        )

    def is_asking(self, target: bytes) -> bool:
        """Whether a request for this target is one that a login's client makes to its issuer, however it is spelled."""
        if not self.asking:
            return False
        path = split_target(target)[0]
        for _ in range(_LAYERS):
            path = unquote_to_bytes(path)
        kept: list[bytes] = []
        for part in path.lower().replace(b"\\", b"/").split(b"/"):
            part = part.partition(b";")[0]
            if part == b"..":
                del kept[-1:]
            elif part not in (b"", b"."):
                kept.append(part)
        return b"/" + b"/".join(kept) in self.asking
