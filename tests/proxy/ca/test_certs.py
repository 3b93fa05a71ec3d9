"""The certificates: for how long, for what, and verified by each other."""

from __future__ import annotations

import shutil
import ssl

from cryptography import x509

from clauderon.paths import Home
from clauderon.proxy.ca import authority, leaves
from tests.proxy.ca.handshakes import STRICT, handshake


def test_the_ca_is_valid_from_yesterday_for_two_years_and_signs_nothing_but_leaves(made: Home) -> None:
    certificate = x509.load_pem_x509_certificate(made.ca_cert.read_bytes())
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert lifetime.days == 731
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert constraints.value.ca
    assert constraints.value.path_length == 0


def test_a_leaf_of_the_renewed_ca_verifies_against_the_old_certificate(made: Home) -> None:
    old_cert = made.root / "old-container.pem"
    shutil.copy(made.ca_cert, old_cert)
    before = authority.ensure(made)
    made.ca_cert.unlink()  # made anew for the same key, as a renewal does
    after = authority.ensure(made)
    assert (after.key, after.fingerprint != before.fingerprint) == (before.key, True)
    context = ssl.create_default_context(cafile=str(old_cert))
    context.verify_flags |= STRICT
    handshake(leaves.Authority.load(made), "a.example.com", context)
