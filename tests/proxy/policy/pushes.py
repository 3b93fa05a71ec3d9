"""Bodies of pushes, as git writes them and as it does not."""

from __future__ import annotations

OLD, NEW, NONE = b"a" * 40, b"b" * 40, b"0" * 40
OWN = b"refs/heads/clauderon/one"
CAPABILITIES = b"report-status-v2 side-band-64k object-format=sha1 agent=git/2.39.5"
PACK = b"PACK\0\0\0\2\0\0\0\0" + b"0000" * 3 + bytes(range(256))


def pkt(text: bytes) -> bytes:
    return b"%04x%b" % (len(text) + 4, text)


def push(*refs: bytes, old: bytes = OLD, new: bytes = NEW, more: bytes = b"", options: tuple[bytes, ...] = (),
         before: tuple[bytes, ...] = (), pack: bytes = PACK) -> bytes:  # fmt: skip
    """A request's body."""
    lines = [b"%b %b %b" % (old, new, ref) for ref in refs]
    capabilities = CAPABILITIES + (b" push-options" if options else b"") + more
    lines[0] += b"\0 " + capabilities
    body = b"".join(map(pkt, (*before, *lines))) + b"0000"
    if options:
        body += b"".join(map(pkt, options)) + b"0000"
    return body + pack


def certificate(*refs: bytes, capabilities: bytes = CAPABILITIES, head: bytes = b"") -> bytes:
    """The same, signed."""
    lines = [b"certificate version 0.1\n", b"pusher A <a@b> 1 +0000\n", b"nonce 1-a\n", head, b"\n"]
    lines += [b"%b %b %b\n" % (OLD, NEW, ref) for ref in refs]
    lines += [b"-----BEGIN PGP SIGNATURE-----\n", b"\n", b"abc\n", b"-----END PGP SIGNATURE-----\n"]
    body = pkt(b"push-cert\0" + capabilities) + b"".join(pkt(line) for line in lines if line)
    return body + pkt(b"push-cert-end\n") + b"0000" + PACK
