"""The leaves the authority signs: who accepts them, and what is kept of them."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import trustme

from clauderon.errors import BackendError
from clauderon.paths import Home
from clauderon.proxy.ca import authority as ca
from clauderon.proxy.ca import leaves
from tests.proxy.ca.handshakes import Handshake, handshake, trusting


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
    handshake(authority, "a.example.com", client)
    first = handshake(authority, "a.example.com", client)
    context = authority.server_context("a.example.com")
    assert Handshake(context, client, "a.example.com", session=first.session).complete().session_reused


def leaf(authority: leaves.Authority, made: Home, host: str) -> bytes:
    """What a client of `host` is shown."""
    return handshake(authority, host, trusting(made)).getpeercert(binary_form=True) or b""


def test_a_host_gets_one_leaf_and_the_cache_is_bounded(made: Home) -> None:
    authority = leaves.Authority(made.ca_cert.read_bytes(), made.ca_key.read_bytes(), kept=3)
    first = leaf(authority, made, "a.example.com")
    assert leaf(authority, made, "a.example.com") == first
    for number in range(2):
        leaf(authority, made, f"h{number}.example.com")
    assert leaf(authority, made, "a.example.com") == first
    for number in range(2, 5):
        leaf(authority, made, f"h{number}.example.com")
    assert leaf(authority, made, "a.example.com") != first


def test_hosts_asked_for_in_turn_each_show_their_own_leaf(made: Home) -> None:
    authority = leaves.Authority.load(made)
    seen = {host: leaf(authority, made, host) for host in ("a.example.com", "b.example.com", "c.example.com")}
    assert len(set(seen.values())) == 3
    for _ in range(2):
        for host, first in seen.items():
            assert leaf(authority, made, host) == first


def test_a_handshake_that_has_begun_keeps_its_leaf_when_another_host_comes(made: Home) -> None:
    authority = leaves.Authority.load(made)
    context = authority.server_context("a.example.com")
    begun = Handshake(context, trusting(made), "a.example.com")
    assert authority.server_context("a.example.com") is not context, "it comes again"
    assert authority.server_context("b.example.com") is context, "else nothing is tried here"
    assert begun.complete().version() == "TLSv1.3"


def test_a_handshake_can_change_to_another_hosts_leaf(made: Home) -> None:
    """As for a client whose ClientHello names another host than its CONNECT; it is shown the one it named."""
    authority = leaves.Authority.load(made)
    for connect in ("a.example.com", "b.example.com", "a.example.com"):
        context = authority.server_context(connect)

        def change(tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
            tls.context = authority.server_context(name or "", apart=True)

        context.sni_callback = change
        assert Handshake(context, trusting(made), "other.example.com").complete().version() == "TLSv1.3"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_no_ticket_of_one_host_resumes_a_session_for_another(made: Home, version: ssl.TLSVersion) -> None:
    authority = leaves.Authority.load(made)
    client = trusting(made)
    client.minimum_version = client.maximum_version = version
    first = handshake(authority, "a.example.com", client).session
    assert first is not None and not first.has_ticket
    own = handshake(authority, "a.example.com", client).session
    assert own is not None and own.has_ticket
    for host in ("b.example.com", "b.example.com"):
        context = authority.server_context(host)
        again = Handshake(context, client, host, session=own).complete()
        assert not again.session_reused
        seen = again.getpeercert()
        assert seen is not None and ("DNS", host) in seen["subjectAltName"]


def test_a_certificate_that_could_not_be_loaded_is_nobodys(
    made: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The context may have taken it all the same: it must not be shown for the host before."""
    authority = leaves.Authority.load(made)
    seen = leaf(authority, made, "a.example.com")
    load_alone = leaves._load_alone

    def no_descriptor(context: ssl.SSLContext, cert_pem: bytes) -> None:
        load_alone(context, cert_pem)
        raise OSError(errno.EMFILE, "too many open files")

    with monkeypatch.context() as patched, pytest.raises(OSError, match="too many"):
        patched.setattr(leaves, "_load_alone", no_descriptor)
        authority.server_context("b.example.com")
    for host in ("a.example.com", "b.example.com", "a.example.com"):
        assert handshake(authority, host, trusting(made)).version() == "TLSv1.3"
    assert leaf(authority, made, "a.example.com") == seen


@pytest.mark.parametrize("how", ["fails", "does nothing"])
def test_where_ssl_takes_no_certificate_without_its_key_it_is_given_both(
    made: Home, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    def load_alone(_context: ssl.SSLContext, _cert_pem: bytes) -> None:
        if how == "fails":
            raise ssl.SSLError("no key")

    monkeypatch.setattr(leaves, "_load_alone", load_alone)
    authority = leaves.Authority.load(made)
    for host in ("a.example.com", "b.example.com", "a.example.com"):
        assert handshake(authority, host, trusting(made)).version() == "TLSv1.3"


def test_this_ssl_takes_a_certificate_without_its_key(made: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The quick way is taken: a new host's first connection reads no key."""
    authority = leaves.Authority.load(made)
    assert handshake(authority, "first.example.com", trusting(made)).version() == "TLSv1.3"

    def slow(_context: ssl.SSLContext, _cert_pem: bytes) -> None:
        raise AssertionError("the key was read")

    monkeypatch.setattr(authority, "_load", slow)
    for number in range(3):
        assert handshake(authority, f"h{number}.example.com", trusting(made)).version() == "TLSv1.3"


def test_leaves_of_another_ca_take_the_place_of_the_first_ones(made: Home) -> None:
    authority = leaves.Authority.load(made)
    hosts = ("a.example.com", "b.example.com", "a.example.com")
    before = [leaf(authority, made, host) for host in hosts]
    made.ca_key.unlink()
    ca.ensure(made)
    with pytest.raises(ssl.SSLCertVerificationError):
        leaf(authority, made, "a.example.com")
    authority.refresh(made)
    assert not {leaf(authority, made, host) for host in hosts} & set(before)


def test_an_old_leaf_is_minted_again(made: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = leaves.Authority.load(made)
    any_time = trusting(made)
    any_time.check_hostname = False
    any_time.verify_mode = ssl.CERT_NONE
    first = handshake(authority, "a.example.com", any_time).getpeercert(binary_form=True)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + leaves.LEAF_VALID_S - leaves.LEAF_MARGIN_S + 1)
    assert handshake(authority, "a.example.com", any_time).getpeercert(binary_form=True) != first


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


def test_a_service_that_nobody_used_does_without_the_library_of_certificates(made: Home) -> None:
    """`cryptography` is 10 MiB of an idle service. Seen to fail with the leaf key made at once."""
    code = (
        "import sys; from pathlib import Path; from clauderon.paths import Home; from clauderon.proxy.ca import "
        "authority, leaves; home = Home(Path(sys.argv[1])); authority.ensure(home); leaves.Authority.load(home); "
        "print('cryptography' in sys.modules)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, str(made.root)], capture_output=True, text=True, check=True
    )
    assert said.stdout == "False\n"


@pytest.mark.parametrize(
    "content", [b"", b"nothing", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_ca_that_cannot_be_used_is_said_at_the_start(made: Home, content: bytes) -> None:
    made.ca_cert.write_bytes(content)
    with pytest.raises(BackendError, match="cannot be loaded"):
        leaves.Authority.load(made)


def test_a_key_of_another_ca_is_said_at_the_start(made: Home) -> None:
    made.ca_key.write_bytes(trustme.CA().private_key_pem.bytes())
    with pytest.raises(BackendError, match="cannot be loaded"):
        leaves.Authority.load(made)
