"""The certificates the authority signs, one for each host, and the TLS contexts that show them."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from clauderon.errors import BackendError
from clauderon.paths import Home
from clauderon.proxy.ca import BACKDATE_S
from clauderon.proxy.ca_record import DAY_S

if TYPE_CHECKING:
    import ssl

LEAF_VALID_S = 90 * DAY_S
# A leaf this close to its end is minted again.
LEAF_MARGIN_S = DAY_S
# About 40 KiB each with its SSLContext.
LEAVES_KEPT = 1024


class Authority:
    """Signs leaves for the data plane (`interfaces.Leaves`). Not thread-safe: one event loop owns it."""

    def __init__(self, cert_pem: bytes, key_pem: bytes, *, kept: int = LEAVES_KEPT) -> None:
        import trustme

        self._take(cert_pem, key_pem)
        # One key for every leaf: half of what a leaf costs is making its key.
        self._leaf_key: Any = _OneKey(trustme.KeyType.ECDSA)
        self._leaf_key_file: int | None = None
        self._kept = kept
        self._contexts: OrderedDict[str, tuple[float, ssl.SSLContext]] = OrderedDict()

    @classmethod
    def load(cls, home: Home) -> Authority:
        """The CA of `home`, which `ensure` has made."""
        try:
            return cls(home.ca_cert.read_bytes(), home.ca_key.read_bytes())
        except (OSError, ValueError) as error:
            raise BackendError("proxy CA", f"cannot be loaded: {error}", hint="clauderon doctor") from error

    def refresh(self, home: Home) -> None:
        """Take the CA of `home` if it has changed meanwhile."""
        cert_pem = home.ca_cert.read_bytes()
        if cert_pem != self._cert_pem:
            self._take(cert_pem, home.ca_key.read_bytes())
            self._contexts.clear()

    def _take(self, cert_pem: bytes, key_pem: bytes) -> None:
        import trustme

        from clauderon.proxy import certs

        self._cert_pem = cert_pem
        self._ca = trustme.CA.from_pem(cert_pem, key_pem)
        self._cert, self._key = certs.load(cert_pem, key_pem)

    def server_context(self, host: str) -> ssl.SSLContext:
        """See `interfaces.Leaves`. Raises ValueError for a host no certificate can name."""
        if not host or not host.isascii():
            raise ValueError("a host in a certificate is ASCII; write an international name in its xn-- form")
        now = time.time()
        known = self._contexts.get(host)
        if known is not None and now < known[0]:
            self._contexts.move_to_end(host)
            return known[1]
        not_after = min(now + LEAF_VALID_S, self._cert.not_valid_after_utc.timestamp())
        context = self._context(*self._leaf(host, now, not_after))
        self._contexts[host] = (not_after - LEAF_MARGIN_S, context)
        self._contexts.move_to_end(host)
        if len(self._contexts) > self._kept:
            self._contexts.popitem(last=False)
        return context

    def _leaf(self, host: str, now: float, not_after: float) -> tuple[bytes, bytes]:
        """A certificate for `host` and its key, both PEM."""
        from cryptography import x509

        from clauderon.proxy import certs

        not_before = max(now - BACKDATE_S, self._cert.not_valid_before_utc.timestamp())
        issue: dict[str, Any] = {
            "organization_name": "clauderon",
            "organization_unit_name": "intercepted",
            "not_before": certs.utc(not_before),
            "not_after": certs.utc(not_after),
            "key_type": self._leaf_key,
        }
        try:
            leaf = self._ca.issue_cert(host, **issue)
            return leaf.cert_chain_pems[0].bytes(), leaf.private_key_pem.bytes()
        except UnicodeError:
            # idna refuses names that are in use all the same: `a_b.example.com`, `r3---sn-x.example.com`.
            leaf = self._ca.issue_cert("placeholder.invalid", **issue)
        template = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes())
        names = x509.SubjectAlternativeName([x509.DNSName(host)])  # ValueError for what is not ASCII
        return certs.pem(certs.resigned(template, self._key, names)), leaf.private_key_pem.bytes()

    def _context(self, cert_pem: bytes, key_pem: bytes) -> ssl.SSLContext:
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        context.num_tickets = 1  # a client that resumes gets a new one each time; the second is never used
        if self._leaf_key_file is None:
            self._leaf_key_file = _memory_file(key_pem)
        certificate = _memory_file(cert_pem)
        os.lseek(self._leaf_key_file, 0, os.SEEK_SET)  # /dev/fd shares the offset outside Linux
        try:
            context.load_cert_chain(f"/dev/fd/{certificate}", f"/dev/fd/{self._leaf_key_file}")
        finally:
            os.close(certificate)
        return context

    def close(self) -> None:
        """Forget the leaf key and every context."""
        self._contexts.clear()
        if self._leaf_key_file is not None:
            os.close(self._leaf_key_file)
            self._leaf_key_file = None


class _OneKey:
    """Stands in for trustme's key type and hands out the same key each time."""

    def __init__(self, kind: Any) -> None:
        self._key = kind._generate_key()

    def _generate_key(self) -> Any:
        return self._key


def _memory_file(content: bytes) -> int:
    """A descriptor with `content` that no path leads to: ssl reads only files, and keys stay off disks."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("clauderon", os.MFD_CLOEXEC)
    else:
        import tempfile

        descriptor, path = tempfile.mkstemp()
        os.unlink(path)  # noqa: PTH108 - the descriptor is all that is wanted
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
