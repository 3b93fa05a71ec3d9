"""The certificates the authority signs, one for each host, and the TLS contexts that show them.

Most of what a host's first connection cost was OpenSSL reading the leaves' one key back from PEM, which every context
of its own wants (0.45 ms, and 40 KiB of memory). So a host's first connection is made in a context that all share and
that takes one certificate after the other; a host that comes again gets a context of its own, in which its sessions are
resumed. The shared one gives no tickets: they would resume one host's session for another.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import ssl
import time
from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from clauderon import files, tls
from clauderon.errors import BackendError
from clauderon.paths import Home
from clauderon.proxy.ca.authority import BACKDATE_S
from clauderon.proxy.ca.record import DAY_S

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

LEAF_VALID_S = 90 * DAY_S
# A leaf this close to its end is minted again.
LEAF_MARGIN_S = DAY_S
# About 1 KiB each, and 40 with a context of its own.
LEAVES_KEPT = 1024
# No file can exist at this path.
_NOWHERE = "/dev/null/no-key"


class Authority:
    """Signs leaves for the data plane (`dataplane.session.Leaves`). Not thread-safe: one event loop owns it."""

    def __init__(self, cert_pem: bytes, key_pem: bytes, *, kept: int = LEAVES_KEPT) -> None:
        """Raises OSError (as `ssl.SSLError`) for what is no certificate with its key."""
        self._leaf_key: EllipticCurvePrivateKey | None = None
        self._key_file: int | None = None
        self._kept = kept
        # When it is due, and its PEM.
        self._leaves: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._own: dict[str, ssl.SSLContext] = {}
        self._take(cert_pem, key_pem)

    @classmethod
    def load(cls, home: Home) -> Authority:
        """The CA of `home`, which `authority.ensure` has made."""
        try:
            return cls(files.read(home.ca_cert), files.read(home.ca_key))
        except (OSError, ValueError) as error:
            raise BackendError("proxy CA", f"cannot be loaded: {error}", hint="clauderon doctor") from error

    def refresh(self, home: Home) -> None:
        """Take the CA of `home` if it has changed meanwhile."""
        cert_pem = files.read(home.ca_cert)
        if cert_pem != self._cert_pem:
            self._take(cert_pem, files.read(home.ca_key))

    def _take(self, cert_pem: bytes, key_pem: bytes) -> None:
        with _readable(cert_pem) as certificate, _readable(key_pem) as key:
            tls.server_context().load_cert_chain(certificate, key)
        self._cert_pem, self._key_pem = cert_pem, key_pem
        self._prepared = False
        self._leaves.clear()
        self._own.clear()

    def _prepare(self) -> None:
        """Make what the first leaf needs; only then, since loading `cryptography` costs a service 10 MiB."""
        from cryptography.hazmat.primitives.asymmetric import ec

        from clauderon.proxy.ca import certs

        # One key for every leaf: half of what a leaf costs is making its key.
        self._leaf_key = self._leaf_key or ec.generate_private_key(ec.SECP256R1())
        self._cert, self._key = certs.load(self._cert_pem, self._key_pem)
        self._template = _template(self._cert_pem, self._key_pem, self._leaf_key)
        first, other = (self._leaf(f"{name}.invalid", time.time())[1] for name in ("first", "other"))
        self._shared = self._context(first)
        self._shared.num_tickets = 0
        self._shared.options |= ssl.OP_NO_TICKET
        self._quick = _takes_certificates_alone(self._shared, other)
        self._prepared = True

    def server_context(self, host: str, *, apart: bool = False) -> ssl.SSLContext:
        """See `dataplane.session.Leaves`. Raises ValueError for a host no certificate can name."""
        if not self._prepared:
            self._prepare()
        now = time.time()
        leaf = self._leaves.get(host)
        if leaf is None or now >= leaf[0]:
            leaf = self._mint(host, now)
            if not apart:
                self._show(leaf[1])
                return self._shared
        self._leaves.move_to_end(host)
        own = self._own.get(host)
        if own is None:
            own = self._own[host] = self._context(leaf[1])
        return own

    def _mint(self, host: str, now: float) -> tuple[float, bytes]:
        leaf = self._leaf(host, now)
        self._leaves[host] = leaf
        self._leaves.move_to_end(host)
        self._own.pop(host, None)
        if len(self._leaves) > self._kept:
            oldest, _ = self._leaves.popitem(last=False)
            self._own.pop(oldest, None)
        return leaf

    def _leaf(self, host: str, now: float) -> tuple[float, bytes]:
        """When a new certificate for `host` will be due, and its PEM."""
        from cryptography import x509

        from clauderon.proxy.ca import certs

        if not host or not host.isascii():
            raise ValueError("a host in a certificate is ASCII; write an international name in its xn-- form")
        name: x509.GeneralName
        try:
            name = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            name = x509.DNSName(host)
        not_before = max(now - BACKDATE_S, self._cert.not_valid_before_utc.timestamp())
        not_after = min(now + LEAF_VALID_S, self._cert.not_valid_after_utc.timestamp())
        certificate = certs.resigned(
            self._template,
            self._key,
            x509.SubjectAlternativeName([name]),
            dates=(not_before, not_after),
        )
        return not_after - LEAF_MARGIN_S, certs.pem(certificate)

    def _context(self, cert_pem: bytes) -> ssl.SSLContext:
        context = tls.server_context()
        context.num_tickets = 1  # a client that resumes gets a new one each time; the second is never used
        self._load(context, cert_pem)
        return context

    def _show(self, cert_pem: bytes) -> None:
        """Put another certificate into the shared context. What was made of it before keeps its own."""
        if self._quick:
            _load_alone(self._shared, cert_pem)
        else:
            self._load(self._shared, cert_pem)

    def _load(self, context: ssl.SSLContext, cert_pem: bytes) -> None:
        if self._key_file is None:
            from cryptography.hazmat.primitives import serialization

            assert self._leaf_key is not None
            key_pem = self._leaf_key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
            self._key_file = _memory_file(key_pem)
        os.lseek(self._key_file, 0, os.SEEK_SET)  # /dev/fd shares the offset outside Linux
        with _readable(cert_pem) as certificate:
            context.load_cert_chain(certificate, f"/dev/fd/{self._key_file}")

    def close(self) -> None:
        """Forget the leaf key and every context."""
        self._leaves.clear()
        self._own.clear()
        if self._key_file is not None:
            os.close(self._key_file)
            self._key_file = None


def _template(cert_pem: bytes, key_pem: bytes, leaf_key: EllipticCurvePrivateKey) -> x509.Certificate:
    """A leaf as trustme makes it, for our key, to be copied for every host."""
    import trustme
    from cryptography import x509

    from clauderon.proxy.ca import certs

    authority = trustme.CA.from_pem(cert_pem, key_pem)
    leaf = authority.issue_cert(
        "placeholder.invalid",
        organization_name="clauderon",
        organization_unit_name="intercepted",
        key_type=trustme.KeyType.ECDSA,
    )
    template = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes())
    public = leaf_key.public_key()
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    return certs.resigned(template, certs.load(cert_pem, key_pem)[1], identifier, public_key=public)


def _load_alone(context: ssl.SSLContext, cert_pem: bytes) -> None:
    """Replace a context's certificate by another one of the same key, without reading the key again.

    `load_cert_chain` takes the certificate in before it looks for the key, and OpenSSL keeps a key that fits.
    """
    with _readable(cert_pem) as certificate, contextlib.suppress(NotADirectoryError):
        context.load_cert_chain(certificate, _NOWHERE)


def _takes_certificates_alone(context: ssl.SSLContext, cert_pem: bytes) -> bool:
    """Whether `_load_alone` works with this Python and OpenSSL. Nothing promises it, so a handshake is tried."""
    try:
        _load_alone(context, cert_pem)
        to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = context.wrap_bio(to_server, to_client, server_side=True)
        looking = tls.client_context()
        looking.check_hostname = False
        looking.verify_mode = ssl.CERT_NONE
        client = looking.wrap_bio(to_client, to_server)
        for end in (client, server, client, server):
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
        shown: Any = client.getpeercert(binary_form=True)
    except (OSError, ValueError):
        return False
    return bool(shown == ssl.PEM_cert_to_DER_cert(cert_pem.decode()))


@contextlib.contextmanager
def _readable(content: bytes) -> Iterator[str]:
    """A path to read `content` from, while it lasts."""
    descriptor = _memory_file(content)
    try:
        yield f"/dev/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _memory_file(content: bytes) -> int:
    """A descriptor with `content` that no path leads to: ssl reads only files, and keys stay off disks."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("clauderon", os.MFD_CLOEXEC)
    else:
        import tempfile

        descriptor, path = tempfile.mkstemp()
        os.unlink(path)  # noqa: PTH108 - the descriptor is all that is wanted
    try:
        os.write(descriptor, content)
        os.lseek(descriptor, 0, os.SEEK_SET)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
