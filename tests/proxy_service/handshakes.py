"""TLS handshakes in memory, between the authority's contexts and a strict client."""

from __future__ import annotations

import contextlib
import ssl

from clauderon.paths import Home
from clauderon.proxy import leaves

# Set by hand, because older Pythons do not set it in `create_default_context`.
STRICT = ssl.VERIFY_X509_STRICT


def handshake(
    authority: leaves.Authority, host: str, client: ssl.SSLContext, asked: str | None = None
) -> ssl.SSLObject:
    """A TLS handshake in memory; returns the client's end. Raises ssl.SSLError."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = authority.server_context(host).wrap_bio(to_server, to_client, server_side=True)
    ours = client.wrap_bio(to_client, to_server, server_hostname=asked or host)
    for _ in range(4):
        for end in (ours, server):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    with contextlib.suppress(ssl.SSLWantReadError):
        ours.read(1)  # takes in the session ticket
    return ours


def trusting(home: Home) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(home.ca_cert))
    context.verify_flags |= STRICT
    return context
