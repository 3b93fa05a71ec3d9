"""What every TLS context of ours has, whatever this Python's `ssl` thinks of it."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from clauderon import tls

IGNORE_UNEXPECTED_EOF = 1 << 7  # openssl/ssl.h; Python before 3.12 has no name for it everywhere
LEGACY_SERVER_CONNECT = 1 << 2


@pytest.fixture
def pair() -> tuple[ssl.SSLObject, ssl.SSLObject, ssl.MemoryBIO, ssl.MemoryBIO]:
    """A server and a client after their handshake, and what each of them reads."""
    ca = trustme.CA()
    server_context, client_context = tls.server_context(), tls.client_context()
    ca.issue_cert("api.test").configure_cert(server_context)
    ca.configure_trust(client_context)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    client = client_context.wrap_bio(to_client, to_server, server_hostname="api.test")
    for end in (client, server, client, server):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    with pytest.raises(ssl.SSLWantReadError):
        client.read(1)  # takes the tickets
    return server, client, to_server, to_client


@pytest.mark.parametrize("side", [0, 1])
def test_a_connection_that_is_cut_is_not_one_that_ended(pair, side: int) -> None:  # type: ignore[no-untyped-def]
    """Seen to fail with Debian 12's Python 3.11.2 and its own options."""
    end, incoming = pair[side], pair[2 + side]
    incoming.write_eof()
    # 3.11.2 has the plain SSLError for it.
    with pytest.raises(ssl.SSLError, match=r"(?i)eof"):
        end.read(1)


def test_a_goodbye_is_an_end(pair) -> None:  # type: ignore[no-untyped-def]
    server, client, _, _ = pair
    with pytest.raises(ssl.SSLWantReadError):
        server.unwrap()
    assert client.read(1) == b""


@pytest.mark.parametrize("make", [tls.server_context, tls.client_context])
def test_what_is_relied_on_is_set(make: Callable[[], ssl.SSLContext]) -> None:
    context = make()
    assert context.options & ssl.OP_NO_COMPRESSION
    assert not int(context.options) & (IGNORE_UNEXPECTED_EOF | LEGACY_SERVER_CONNECT)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_client_demands_a_proof_and_keeps_its_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    context = tls.client_context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.keylog_filename is None
