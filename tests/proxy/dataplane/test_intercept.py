"""A handshake with a client: garbage is refused, and a client that does not trust us is known."""

from __future__ import annotations

import ssl

import pytest

from tests.proxy.rig import Rig


def test_a_handshake_that_is_garbage_is_refused(rig: Rig) -> None:
    client = rig.connect()
    client.send(b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n")
    client.head()
    client.send(b"\x16" + b"\xff" * 500)
    client.rest()
    assert rig.audited()[0].error == "client-tls"


def test_a_client_that_does_not_trust_us_is_audited(rig: Rig) -> None:
    rig.upstream()
    client = rig.connect()
    client.send(b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n")
    client.head()
    with pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(client.sock, server_hostname="api.test")
    client.close()
    record = rig.audited()[0]
    assert (record.kind, record.error, record.host) == ("connection", "client-tls", "api.test")


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError("no such name"), b"400"), (OSError(24, "Too many open files"), b"500")]
)
def test_a_leaf_that_cannot_be_made_is_said_and_survived(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, error: Exception, status: bytes
) -> None:
    def fail(host: str, *, apart: bool = False) -> ssl.SSLContext:
        raise error

    monkeypatch.setattr(rig.leaves, "server_context", fail)
    client = rig.connect()
    client.send(b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n\x16\x03\x01")
    client.head()
    head, body = client.message()
    assert head.startswith(b"HTTP/1.1 %b " % status) and b"no certificate can be made" in body
