"""End a tunnel's TLS here: the leaf for its host, and the server name that must agree with it."""

from __future__ import annotations

import ssl
from typing import Protocol

from clauderon.proxy.dataplane.session import Session
from clauderon.proxy.http.problem import Problem
from clauderon.proxy.policy.hosts import HostError, normalise_host

_HANDSHAKE = 0x16


class Intercepted(Protocol):
    """The client's connection, as the handshake knows it. sni: a server name that is not the tunnel's host."""

    sni: str

    @property
    def session(self) -> Session:
        """The session that asks."""

    @property
    def host(self) -> str:
        """The CONNECT's host."""

    def refuse(self, problem: Problem, head: None) -> None:
        """Answer with the problem, and close."""

    def start_tls(self, context: ssl.SSLContext, *, server: bool) -> ssl.SSLObject:
        """Begin TLS on the connection."""

    def begin(self, first: bytes) -> None:
        """Feed the handshake its first bytes."""


def begin(client: Intercepted, first: bytes) -> None:
    """Start the handshake with the first bytes that came in the tunnel, or refuse what is not TLS."""
    host = client.host
    if first[0] != _HANDSHAKE:
        what = f"what came in the tunnel to {host} is not TLS"
        fix = f"for plain HTTP ask the proxy for http://..., else add {host} to [proxy] passthrough"
        client.refuse(Problem.by_policy(400, "not-tls", "tls", what, fix), None)
        return
    try:
        context = client.session.shared.leaves.server_context(host)
    except (ValueError, OSError) as error:
        status = 400 if isinstance(error, ValueError) else 500
        client.refuse(Problem(status, "no-leaf", f"no certificate can be made for {host}: {error}"), None)
        return
    if context.sni_callback is None:
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.sni_callback = _on_sni
    client.start_tls(context, server=True).client = client  # type: ignore[attr-defined]
    client.begin(first)


def _on_sni(tls: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
    """The ClientHello says whom the client wants."""
    client: Intercepted = tls.client  # type: ignore[attr-defined]
    if name is None or name == client.host:
        return
    try:
        host = normalise_host(name)
    except HostError:
        client.sni = name
        return
    if host == client.host:
        return
    # The handshake is completed under the name the client asked for, so that it can be told what is wrong.
    client.sni = host
    try:
        other = client.session.shared.leaves.server_context(host, apart=True)
    except (ValueError, OSError):
        return
    tls.context = other
