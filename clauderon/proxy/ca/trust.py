"""The host's roots together with our CA, in the forms tools in a container read: a PEM bundle and a Java store.

Certificates are public: nothing here touches a key. Slow (`cryptography`), so called only when something changed.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path

from clauderon import files

# Where distributions keep the bundle that OpenSSL, GnuTLS and friends read, most common first.
KNOWN_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine, Arch, Gentoo
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, RHEL
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # macOS, Alpine, BSD
)
_BEGIN = b"-----BEGIN CERTIFICATE-----"
_END = b"-----END CERTIFICATE-----"
# The JDK's own default: the store holds public certificates, the password protects nothing.
TRUSTSTORE_PASSWORD = b"changeit"


def system_roots() -> Path | None:
    """The host's bundle of root certificates, or None on a host without one."""
    candidates = [Path(path) for path in KNOWN_BUNDLES]
    found = next((path for path in candidates if path.is_file()), None)
    if found is not None:
        return found
    import ssl

    compiled_in = ssl.get_default_verify_paths().openssl_cafile
    return Path(compiled_in) if compiled_in and Path(compiled_in).is_file() else None


def certificates(pem: bytes) -> list[bytes]:
    """Each certificate block of a PEM text, in order; comments and other blocks are left out."""
    found = []
    for block in pem.split(_BEGIN)[1:]:
        body, end, _rest = block.partition(_END)
        if end:
            found.append(_BEGIN + body + _END + b"\n")
    return found


def bundle(ca_pem: bytes, roots: Path | None) -> bytes:
    """The host's roots followed by our CA."""
    system = certificates(files.read(roots)) if roots is not None else []
    return b"".join([*system, *certificates(ca_pem)])


def makes_truststore() -> bool:
    """Whether `truststore` can: known before there is a bundle to make one of."""
    from cryptography.hazmat.primitives.serialization import pkcs12

    return hasattr(pkcs12, "serialize_java_truststore")


def truststore(bundle_pem: bytes) -> bytes | None:
    """The certificates of `bundle` as a PKCS#12 store for Java, or None if cryptography is too old for it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import PrivateFormat, pkcs12

    serialize = getattr(pkcs12, "serialize_java_truststore", None)  # cryptography 45
    if serialize is None:
        return None
    entries = []
    with warnings.catch_warnings():
        # Some old roots have serial numbers that today's RFC forbids. They are trusted all the same.
        warnings.simplefilter("ignore")
        for number, block in enumerate(certificates(bundle_pem), start=1):
            try:
                certificate = x509.load_pem_x509_certificate(block)
            except ValueError:
                continue
            entries.append(pkcs12.PKCS12Certificate(certificate, b"clauderon-%d" % number))
    # Triple DES and SHA-1: the newest that every Java 8 reads, and there is nothing to keep secret.
    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(10_000)
        .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
        .hmac_hash(hashes.SHA1())
        .build(TRUSTSTORE_PASSWORD)
    )
    store: bytes = serialize(entries, encryption)
    return store


def publish(path: Path, content: bytes, mode: int) -> None:
    """Write a file that appears at once, complete, and with its mode from the first instant."""
    temporary = path.with_name(files.draft_name(path.parent, path.name))
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)  # the umask may have taken bits that a container's uid needs
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
