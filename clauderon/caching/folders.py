"""The names of cargo's own directories: `registry/cache/<host>-<hash>` and `git/db/<name>-<hash>`.

cargo names them by a hash of the source's URL, in the one way until 1.84 and in another since, so a source has more
than one name here; a directory under a name that a session's cargo does not use is not looked at. Pure.
Sources: `SourceId`, `CanonicalUrl` and `short_hash` of cargo; rustc-stable-hash.
"""

from __future__ import annotations

import functools
import re
import struct
from urllib.parse import SplitResult, urlsplit

CRATES_IO_GIT = "https://github.com/rust-lang/crates.io-index"
CRATES_IO_SPARSE = "sparse+https://index.crates.io/"
_MASK = (1 << 64) - 1
_DIRECTORY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")
# Discriminants of cargo's SourceKind.
_REGISTRY, _SPARSE = 2, 3


@functools.cache
def registry(source: str) -> tuple[str, ...]:
    """Directory names below `registry/cache` of a lock's `source`; none for what is no URL.

    A lock names crates.io by its git index, also where cargo asks the sparse one.
    """
    url = source.removeprefix("registry+")
    urls = (url, CRATES_IO_SPARSE) if url == CRATES_IO_GIT else (url,)
    return tuple(dict.fromkeys(name for each in urls for name in _registry(each)))


def _registry(url: str) -> tuple[str, ...]:
    kind = _SPARSE if url.startswith("sparse+") else _REGISTRY
    host = _host(url)
    if host is None:
        return ()
    plain, canonical = url.encode(), _canonical(url).encode()
    hashes = (
        _until_1_84(struct.pack("<Q", kind) + plain + b"\xff"),
        _since_1_85(bytes([kind]) + plain + b"\xff"),
        _since_1_85(bytes([kind]) + canonical + b"\xff"),
    )
    return tuple(dict.fromkeys(f"{host}-{each}" for each in hashes))


def git(url: str) -> tuple[str, ...]:
    """Directory names below `git/db` of a git dependency; none for what is no URL."""
    canonical = _canonical(url)
    parts = _parts(canonical)
    name = "" if parts is None else parts.path.rpartition("/")[2] or "_empty"
    if not _DIRECTORY.match(name):
        return ()
    data = canonical.encode() + b"\xff"
    return (f"{name}-{_until_1_84(data)}", f"{name}-{_since_1_85(data)}")


def _host(url: str) -> str | None:
    """The host as cargo writes it, "" for one of files; None for what is no name of a directory."""
    parts = _parts(url.removeprefix("sparse+"))
    if parts is None:
        return None
    host = parts.hostname or ""
    return host if not host or _DIRECTORY.match(host) else None


def _parts(url: str) -> SplitResult | None:
    """The lock is anybody's: `https://[x` is a URL to a pattern and none to the parser."""
    try:
        return urlsplit(url)
    except ValueError:
        return None


def _canonical(url: str) -> str:
    """cargo's canonical form: no slash and no `.git` at the end, and GitHub's in lower case."""
    if url.count("/") > 3 and url.endswith("/"):
        url = url[:-1]
    parts = _parts(url)
    if parts is not None and parts.netloc == "github.com":
        url = f"https://{url.partition('://')[2].lower()}"
    return url.removesuffix(".git")


def _until_1_84(data: bytes) -> str:
    return _short(_sip(data, rounds=(2, 4), wide=False)[0])


def _since_1_85(data: bytes) -> str:
    low, high = _sip(data, rounds=(1, 3), wide=True)
    return _short((low * 3 + high) & _MASK)


def _short(value: int) -> str:
    return value.to_bytes(8, "little").hex()


def _sip(data: bytes, *, rounds: tuple[int, int], wide: bool) -> tuple[int, int]:
    """SipHash with a key of zeros, of 64 bits (the second is 0 then) or of 128."""
    compress, finish = rounds
    v = (
        0x736F6D6570736575,
        0x646F72616E646F6D ^ (0xEE if wide else 0),
        0x6C7967656E657261,
        0x7465646279746573,
    )
    whole = len(data) // 8
    last = (len(data) & 0xFF) << 56 | int.from_bytes(data[whole * 8 :], "little")
    for word in (*struct.unpack_from(f"<{whole}Q", data), last):
        v = _rounds((v[0], v[1], v[2], v[3] ^ word), compress)
        v = (v[0] ^ word, v[1], v[2], v[3])
    v = _rounds((v[0], v[1], v[2] ^ (0xEE if wide else 0xFF), v[3]), finish)
    low = v[0] ^ v[1] ^ v[2] ^ v[3]
    if not wide:
        return low, 0
    v = _rounds((v[0], v[1] ^ 0xDD, v[2], v[3]), finish)
    return low, v[0] ^ v[1] ^ v[2] ^ v[3]


def _rounds(v: tuple[int, int, int, int], count: int) -> tuple[int, int, int, int]:
    a, b, c, d = v
    for _ in range(count):
        a = (a + b) & _MASK
        c = (c + d) & _MASK
        b = _rotated(b, 13) ^ a
        d = _rotated(d, 16) ^ c
        a = _rotated(a, 32)
        c = (c + b) & _MASK
        a = (a + d) & _MASK
        b = _rotated(b, 17) ^ c
        d = _rotated(d, 21) ^ a
        c = _rotated(c, 32)
    return a, b, c, d


def _rotated(value: int, bits: int) -> int:
    return (value << bits | value >> (64 - bits)) & _MASK
