"""Say which network addresses a container must not be led to. Pure; decides on addresses, never on names."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

_RANGES: tuple[tuple[str, str], ...] = (
    ("0.0.0.0/8", "this host"),
    ("10.0.0.0/8", "a private network"),
    ("100.64.0.0/10", "a carrier's shared network"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local, where clouds keep their metadata"),
    ("172.16.0.0/12", "a private network"),
    ("192.0.0.0/24", "reserved for protocol use"),
    ("192.0.2.0/24", "a documentation network"),
    ("192.88.99.0/24", "a relay to IPv6, of old"),
    ("192.168.0.0/16", "a private network"),
    ("198.18.0.0/15", "a benchmarking network"),
    ("198.51.100.0/24", "a documentation network"),
    ("203.0.113.0/24", "a documentation network"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
    ("::/128", "this host"),
    ("::1/128", "loopback"),
    ("::ffff:0:0:0/96", "a translator's network"),
    ("64:ff9b:1::/48", "a translator's network"),
    ("100::/64", "a discard-only network"),
    ("2001:2::/48", "a benchmarking network"),
    ("2001:10::/28", "reserved for identifiers"),
    ("2001:20::/28", "reserved for identifiers"),
    ("2001:db8::/32", "a documentation network"),
    ("3fff::/20", "a documentation network"),
    ("5f00::/16", "a provider's inner network"),
    ("fc00::/7", "a private network"),
    ("fe80::/10", "link-local"),
    ("fec0::/10", "a site-local network"),
    ("ff00::/8", "multicast"),
)
_NETWORKS = tuple((ipaddress.ip_network(text), word) for text, word in _RANGES)
# A provider's metadata service at a public address (Azure's wire server, Alibaba's and Oracle's are in the ranges).
_SINGLE = {ipaddress.ip_address("168.63.129.16"): "a cloud's metadata service"}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that a packet to `address` may end at (mapped, 6to4, Teredo, NAT64, compatible)."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64 or address in _COMPATIBLE:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


@lru_cache(maxsize=4096)
def guarded(text: str) -> str | None:
    """Why the numeric address `text` is guarded ("loopback"), or None for an ordinary public address.

    What is no address at all is guarded too. A zone (`fe80::1%eth0`) is ignored.
    """
    try:
        address: Address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return "no address"
    word = _range_of(address)
    if word is None and isinstance(address, ipaddress.IPv6Address):
        inner = _embedded(address)
        if inner is not None:
            word = _range_of(inner)
    return word


def _range_of(address: Address) -> str | None:
    single = _SINGLE.get(address)
    if single is not None:
        return single
    for network, word in _NETWORKS:
        if address.version == network.version and address in network:
            return word
    return None


@lru_cache(maxsize=1024)
def canonical_address(text: str) -> str:
    """The address in its usual notation, an IPv4-mapped one as IPv4, without a zone. Raises ValueError."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)
