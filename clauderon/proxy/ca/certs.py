"""Certificates read, copied and described with `cryptography`; what may be signed is `authority`'s to decide.

Slow to import, so `authority` imports it late.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from clauderon.proxy.ca.record import CaFacts


def resigned(
    template: x509.Certificate,
    key: EllipticCurvePrivateKey,
    *extensions: x509.ExtensionType,
    public_key: Any = None,
    dates: tuple[float, float] | None = None,
) -> x509.Certificate:
    """A copy of `template` signed again, with `extensions` in place of its own of the same kind."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(template.subject)
        .issuer_name(template.issuer)
        .public_key(public_key or template.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(utc(dates[0]) if dates else template.not_valid_before_utc)
        .not_valid_after(utc(dates[1]) if dates else template.not_valid_after_utc)
    )
    replaced = {extension.oid for extension in extensions}
    for own in template.extensions:
        if own.oid not in replaced:
            builder = builder.add_extension(own.value, own.critical)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256())


def describe(certificate: x509.Certificate, earlier: tuple[CaFacts, ...]) -> CaFacts:
    """The facts of a CA certificate that clients need to know, with those of earlier ones."""
    public = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    fingerprint = hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()
    return CaFacts(
        fingerprint=fingerprint,
        key=hashlib.sha256(public).hexdigest(),
        not_before=certificate.not_valid_before_utc.timestamp(),
        not_after=certificate.not_valid_after_utc.timestamp(),
        earlier=tuple(old for old in earlier if old.fingerprint != fingerprint),
    )


def load(cert_pem: bytes, key_pem: bytes) -> tuple[x509.Certificate, EllipticCurvePrivateKey]:
    """Both parsed; raises ValueError for what is neither."""
    key: Any = serialization.load_pem_private_key(key_pem, password=None)
    return x509.load_pem_x509_certificate(cert_pem), key


def pem(certificate: x509.Certificate) -> bytes:
    """The certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def utc(seconds: float) -> datetime:
    """Seconds since 1970 as a date for a certificate: whole seconds, UTC."""
    return datetime.fromtimestamp(int(seconds), UTC)
