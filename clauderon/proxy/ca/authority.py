"""The certificate authority: made once, renewed in time. What it signs is `leaves`' business.

`ensure` runs in every `create`, so its usual path is a few `stat`s and no import. The key stays in the home
directory and in the worker; no container ever sees it.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from clauderon import filelock, files
from clauderon.errors import BackendError
from clauderon.paths import Home
from clauderon.proxy.ca import record as ca_record
from clauderon.proxy.ca import trust
from clauderon.proxy.ca.record import DAY_S, CaFacts

if TYPE_CHECKING:
    from cryptography import x509

# The certificate begins in the past, for containers and hosts whose clock is behind.
BACKDATE_S = DAY_S
CA_VALID_S = 730 * DAY_S
KEY_MODE = 0o600
CERT_MODE = 0o644


def ensure(home: Home, *, now: float | None = None) -> CaFacts:
    """Make or renew the CA, the bundle and the Java store where needed; returns the CA in force.

    Record `fingerprint` with a container that is given it: `CaFacts.outdated` tells later which need a refresh.
    Raises BackendError if the clock shows a time before the CA's first day or its files cannot be used.
    """
    moment = time.time() if now is None else now
    facts = ca_record.read_fresh(home, moment)
    if facts is None:
        with _lock(home):
            facts = ca_record.read_fresh(home, moment) or _establish(home, moment)
    if moment < facts.not_before:
        why = "this machine's clock is before the CA's first valid day"
        raise BackendError("proxy CA", why, hint="date")
    return facts


def recorded(home: Home) -> CaFacts | None:
    """The CA as last recorded, or None if there is none yet. Cheap; the files are not looked at."""
    return ca_record.read(home)


def _establish(home: Home, now: float) -> CaFacts:
    """Bring every file in order; the key is what lasts, and a certificate that does not fit it is made anew."""
    from cryptography import x509

    from clauderon.proxy.ca import certs

    before = ca_record.read(home)
    key_pem = _read_key(home)
    if key_pem is None:
        key_pem = _new_key()
        trust.publish(home.ca_key, key_pem, KEY_MODE)
    else:
        home.ca_key.chmod(KEY_MODE)
    cert_pem = _current_certificate(home, key_pem, now)
    if cert_pem is None:
        cert_pem = certs.pem(_ca_certificate(key_pem, now - BACKDATE_S, now + CA_VALID_S))
        trust.publish(home.ca_cert, cert_pem, CERT_MODE)
    else:
        home.ca_cert.chmod(CERT_MODE)
    roots = trust.system_roots()
    _publish_trust(home, trust.bundle(cert_pem, roots))
    earlier = () if before is None else (*before.earlier, before)
    facts = certs.describe(x509.load_pem_x509_certificate(cert_pem), earlier)
    ca_record.write(home, facts, roots)
    return facts


def _publish_trust(home: Home, bundle: bytes) -> None:
    # By rename: a running container keeps the files it was started with.
    trust.publish(home.ca_bundle, bundle, CERT_MODE)
    store = trust.truststore(bundle)
    if store is not None:
        trust.publish(home.truststore, store, CERT_MODE)


def _read_key(home: Home) -> bytes | None:
    """The key, or None if there is none that can be used (then everything is made anew)."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key_pem = files.read(home.ca_key)
        load_pem_private_key(key_pem, password=None)
    except (FileNotFoundError, ValueError, TypeError):
        return None
    except OSError as error:
        why = f"its key cannot be read: {error.strerror}"
        raise BackendError("proxy CA", why, hint=f"ls -l {home.ca_key}") from error
    return key_pem


def _current_certificate(home: Home, key_pem: bytes, now: float) -> bytes | None:
    """The certificate on disk, if it belongs to the key and is not due for renewal."""
    from clauderon.proxy.ca import certs

    try:
        cert_pem = files.read(home.ca_cert)
        certificate, key = certs.load(cert_pem, key_pem)
    except (OSError, ValueError):
        return None
    due = certificate.not_valid_after_utc.timestamp() - ca_record.RENEW_BEFORE_S
    return cert_pem if certificate.public_key() == key.public_key() and now < due else None


def _new_key() -> bytes:
    import trustme

    return trustme.CA().private_key_pem.bytes()


def _ca_certificate(key_pem: bytes, not_before: float, not_after: float) -> x509.Certificate:
    """A self-signed CA certificate for the key: trustme's, with dates, and a name that depends on the key alone.

    So a renewed certificate verifies the same leaves as the one before it.
    """
    import trustme
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    from clauderon.proxy.ca import certs

    key: Any = load_pem_private_key(key_pem, password=None)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    unit = f"proxy CA {identifier.digest.hex()[:12]}"
    made = trustme.CA(path_length=0, organization_name="clauderon", organization_unit_name=unit)
    template = x509.load_pem_x509_certificate(made.cert_pem.bytes())
    authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    return certs.resigned(
        template, key, identifier, authority, public_key=key.public_key(), dates=(not_before, not_after)
    )


@contextlib.contextmanager
def _lock(home: Home) -> Iterator[None]:
    """A lock, so that two commands that are the first at the same time make one CA."""
    home.create()
    descriptor = os.open(home.locks / "proxy-ca.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        filelock.wait(descriptor)
        yield
    finally:
        os.close(descriptor)
