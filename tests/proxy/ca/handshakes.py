"""TLS handshakes in memory, between the authority's contexts and a strict client."""

from __future__ import annotations

import contextlib
import ssl

from clauderon.paths import Home
from clauderon.proxy.ca import leaves

# Set by hand, because older Pythons do not set it in `create_default_context`.
STRICT = ssl.VERIFY_X509_STRICT


class Handshake:
    """One between a server's context and a client's, begun when it is made."""

    def __init__(
        self,
        server: ssl.SSLContext,
        client: ssl.SSLContext,
        name: str,
        session: ssl.SSLSession | None = None,
    ) -> None:
        to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.server = server.wrap_bio(to_server, to_client, server_side=True)
        self.client = client.wrap_bio(to_client, to_server, server_hostname=name, session=session)
        with contextlib.suppress(ssl.SSLWantReadError):
            self.client.do_handshake()

    def complete(self) -> ssl.SSLObject:
        """The client's end, its handshake done. Raises ssl.SSLError."""
        for end in (self.server, self.client, self.server, self.client):
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
        with contextlib.suppress(ssl.SSLWantReadError):
            self.client.read(1)  # takes in the session ticket
        return self.client


def handshake(
    authority: leaves.Authority, host: str, client: ssl.SSLContext, asked: str | None = None
) -> ssl.SSLObject:
    """A TLS handshake in memory; returns the client's end. Raises ssl.SSLError."""
    return Handshake(authority.server_context(host), client, asked or host).complete()


def trusting(home: Home) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(home.ca_cert))
    context.verify_flags |= STRICT
    return context
