"""Turn what a client calls a host into one canonical name, or refuse it. Pure; never resolves anything."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

# `clauderon doctor` asks the main port for a tunnel there: a name that nobody has (RFC 2606), and that is never asked
# for. Only the port for this machine's own programs knows it, so that no session's request passes for the doctor's.
PROBE_HOST = "clauderon-doctor.invalid"
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
# The URL standard's rule: a name whose last label is a number is meant as an IPv4 address, in whatever notation.
_NUMBER = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)")
_PORT = re.compile(r"[0-9]{1,5}")
_DOTTED = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")


class HostError(ValueError):
    """The text is no host, or one in a notation that two parsers would read differently. Its text says which."""


@lru_cache(maxsize=4096)
def normalise_host(text: str) -> str:
    """The canonical form: lower case, no trailing dot, IDNA, addresses in their usual notation without brackets.

    Octal, hexadecimal, integer and shortened IPv4 addresses are refused rather than understood, because the
    resolver, the certificate check and a person reading the policy would each understand something else.
    Raises HostError.
    """
    if text.startswith("[") and text.endswith("]"):
        return _ipv6(text[1:-1])
    if ":" in text:
        return _ipv6(text)
    name = text
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            raise HostError(f"{text!r} is not a valid internationalised host name") from None
    name = name.lower()
    if name.endswith("."):
        name = name[:-1]
    if not name:
        raise HostError("the host is empty")
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _ipv4(name)
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise HostError(f"{text!r} is not a valid host name")
    return name


def _ipv4(text: str) -> str:
    if _DOTTED.fullmatch(text):
        try:
            return str(ipaddress.IPv4Address(text))
        except ValueError:
            pass
    raise HostError(f"{text!r} is an unusual notation of an IPv4 address; write it as a.b.c.d in decimal")


def _ipv6(text: str) -> str:
    if "%" in text:
        raise HostError(f"{text!r} names a network interface of this machine")
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        raise HostError(f"{text!r} is not a valid host or address") from None
    mapped = address.ipv4_mapped
    return str(mapped) if mapped is not None else str(address)


def is_address(host: str) -> bool:
    """Whether a normalised host is an address rather than a name."""
    return ":" in host or (host[-1:].isdigit() and _DOTTED.fullmatch(host) is not None)


@lru_cache(maxsize=4096)
def parse_authority(raw: bytes, default_port: int | None) -> tuple[str, int | None]:
    """`host[:port]` as a normalised host and a port. Raises HostError, also for user information.

    The port is `default_port` where the text has none.
    """
    try:
        text = raw.decode("ascii")
    except UnicodeDecodeError:
        raise HostError(
            "a host on the wire must be ASCII; write an international name in its xn-- form"
        ) from None
    if "@" in text:
        raise HostError("user information before the host is not accepted")
    if text.startswith("["):
        host, bracket, rest = text.partition("]")
        if not bracket:
            raise HostError(f"{text!r} lacks the closing bracket")
        host += "]"
        colon, port = rest[:1], rest[1:]
    else:
        host, colon, port = text.partition(":")
    if not colon:
        return normalise_host(host), default_port
    if colon != ":" or not _PORT.fullmatch(port) or not 0 < int(port) < 65536:
        raise HostError(f"{text!r} has no valid port")
    return normalise_host(host), int(port)


def format_authority(host: str, port: int) -> str:
    """`host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
