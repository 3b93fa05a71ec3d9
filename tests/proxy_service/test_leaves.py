"""The leaves the authority signs: who accepts them, and what is kept of them."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from clauderon.paths import Home
from clauderon.proxy import ca, leaves
from tests.proxy_service.handshakes import handshake, trusting


@pytest.fixture
def made(home: Home) -> Home:
    ca.ensure(home)
    return home


@pytest.mark.parametrize(
    "host",
    [
        "api.example.com",
        "xn--mnchen-3ya.example",
        "under_score.example.com",
        "r3---sn-abc.example.com",
        "a" * 63 + ".example.com",
        "single",
        "127.0.0.1",
        "2001:db8::1",
    ],
)
def test_strict_clients_accept_the_leaf_of(made: Home, host: str) -> None:
    peer = handshake(leaves.Authority.load(made), host, trusting(made))
    assert peer.version() == "TLSv1.3"


def test_the_leaf_of_one_host_is_not_accepted_for_another(made: Home) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(leaves.Authority.load(made), "a.example.com", trusting(made), asked="b.example.com")


@pytest.mark.parametrize("host", ["", "exämple.com"])
def test_a_name_no_certificate_can_hold_is_refused(made: Home, host: str) -> None:
    with pytest.raises(ValueError, match="ASCII"):
        leaves.Authority.load(made).server_context(host)


def test_only_http_1_1_is_offered_and_old_tls_refused(made: Home) -> None:
    authority = leaves.Authority.load(made)
    client = trusting(made)
    client.set_alpn_protocols(["h2", "http/1.1"])
    assert handshake(authority, "a.example.com", client).selected_alpn_protocol() == "http/1.1"
    assert authority.server_context("a.example.com").minimum_version == ssl.TLSVersion.TLSv1_2


def test_tls_sessions_can_be_resumed(made: Home) -> None:
    authority = leaves.Authority.load(made)
    client = trusting(made)
    client.maximum_version = ssl.TLSVersion.TLSv1_2  # resumption shows at once there
    first = handshake(authority, "a.example.com", client)
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = authority.server_context("a.example.com").wrap_bio(to_server, to_client, server_side=True)
    again = client.wrap_bio(to_client, to_server, server_hostname="a.example.com", session=first.session)
    for _ in range(4):
        for end in (again, server):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert again.session_reused


def test_a_host_gets_one_leaf_and_the_cache_is_bounded(made: Home) -> None:
    authority = leaves.Authority(made.ca_cert.read_bytes(), made.ca_key.read_bytes(), kept=3)
    first = authority.server_context("a.example.com")
    assert authority.server_context("a.example.com") is first
    for number in range(3):
        authority.server_context(f"h{number}.example.com")
    assert authority.server_context("a.example.com") is not first


def test_an_old_leaf_is_minted_again(made: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = leaves.Authority.load(made)
    first = authority.server_context("a.example.com")
    now = leaves.time.time()
    monkeypatch.setattr(leaves.time, "time", lambda: now + leaves.LEAF_VALID_S - leaves.LEAF_MARGIN_S + 1)
    assert authority.server_context("a.example.com") is not first


def test_no_private_key_is_written_for_a_leaf(made: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if (
            watching
            and event == "open"
            and isinstance(arguments[2], int)
            and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        ):
            opened.append(str(arguments[0]))

    authority = leaves.Authority.load(made)
    watching = True
    sys.addaudithook(watch)
    try:
        authority.server_context("a.example.com")
    finally:
        watching = False
    assert opened == []


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl")
def test_openssl_verifies_a_leaf_strictly(made: Home, tmp_path: Path) -> None:
    client, server = socket.socketpair()
    authority = leaves.Authority.load(made)

    def serve() -> None:
        with authority.server_context("a.example.com").wrap_socket(server, server_side=True) as secure:
            secure.recv(1)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with trusting(made).wrap_socket(client, server_hostname="a.example.com") as secure:
        pem = ssl.DER_cert_to_PEM_cert(secure.getpeercert(binary_form=True) or b"")
        secure.sendall(b"x")
    thread.join()
    leaf = tmp_path / "leaf.pem"
    leaf.write_text(pem)
    argv = [
        "openssl",
        "verify",
        "-x509_strict",
        "-purpose",
        "sslserver",
        "-CAfile",
        str(made.ca_cert),
        str(leaf),
    ]
    answer = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer
