"""How every TLS context of ours begins: what we rely on is set here, since each Python's `ssl` has its own defaults.

Decides nothing about certificates or names: whoever makes a context loads what it trusts and what it shows.
"""

from __future__ import annotations

import ssl

# What a context may not have. The first makes a connection that was cut look like one that was ended: Python 3.10 to
# 3.11.2 set it by themselves where OpenSSL is 3. The second is the reach for servers without RFC 5746.
_NEVER = getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 1 << 7) | getattr(ssl, "OP_LEGACY_SERVER_CONNECT", 1 << 2)


def server_context() -> ssl.SSLContext:
    """A context that answers handshakes; it has no certificate yet."""
    return _ours(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))


def client_context() -> ssl.SSLContext:
    """A context that asks: the peer must prove its name, by roots that are not loaded yet.

    Not `ssl.create_default_context`: that one writes keys where SSLKEYLOGFILE says, and is stricter with each Python.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED
    context.check_hostname = True
    return _ours(context)


def _ours(context: ssl.SSLContext) -> ssl.SSLContext:
    context.options = (context.options | ssl.OP_NO_COMPRESSION) & ~ssl.Options(_NEVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
