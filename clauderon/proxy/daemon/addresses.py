"""Which addresses and ports the service listens on, opening them, and who is there already.

Never a wildcard address: loopback, and the gateways of our own Docker networks.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

LOOPBACK = ("127.0.0.1", "::1")
BACKLOG = 1024
# Linux: an address may be listened on before its bridge is up, as after a reboot.
_IP_FREEBIND = 15
_LISTENING = "0A"
# The word of its command line that tells a service, and the one that it had in the last release.
_SUPERVISOR = frozenset({b"clauderon.proxy.daemon.supervisor", b"clauderon.proxy.supervisor"})


class Place(NamedTuple):
    """An address and a port to listen on; `str` of it is the name it is kept under."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


class Addresses(NamedTuple):
    """main: for the service's own port; session: for the ports of sessions; own: for that of one (by id) alone."""

    main: tuple[str, ...]
    session: tuple[str, ...]
    own: Mapping[str, str] = {}

    def of(self, session_id: str) -> tuple[str, ...]:
        """Where a session's port is listened on: nobody else's is at the gateway of its own network."""
        own = self.own.get(session_id)
        return self.session if own is None else (own,)


def addresses(networks: Iterable[Mapping[str, Any]]) -> Addresses:
    """From what is recorded of our Docker networks (`gateway`, `native`, `session` of one with a single session).

    Where the engine runs on this machine, containers come in at the gateway; elsewhere (Docker Desktop) at
    loopback.
    """
    gateways = []
    own = {}
    hidden = False
    for network in networks:
        gateway = str(network.get("gateway", ""))
        if network.get("native") and _may_listen(gateway, str(network.get("subnet", ""))):
            if network.get("session"):
                own[str(network["session"])] = gateway
            else:
                gateways.append(gateway)
        else:
            hidden = True
    unique = tuple(dict.fromkeys(gateways))
    session = (*unique, LOOPBACK[0]) if hidden or not unique else unique
    return Addresses((*LOOPBACK, *unique), session, own)


def _may_listen(address: str, subnet: str) -> bool:
    """One address of one of our networks: nothing that would answer the whole world."""
    try:
        parsed = ipaddress.ip_address(address)
        within = parsed in ipaddress.ip_network(subnet, strict=False)
    except ValueError:
        return False
    return within and not (parsed.is_unspecified or parsed.is_multicast or parsed.is_loopback)


def open_socket(place: Place) -> socket.socket:
    """A listening socket. Raises OSError."""
    family = socket.AF_INET6 if ":" in place.address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        elif os.uname().sysname == "Linux" and place.address not in LOOPBACK:
            sock.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        sock.bind((place.address, place.port))
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def optional(place: Place, error: OSError) -> bool:
    """Whether a failure to listen there is of no consequence: a machine without IPv6."""
    absent = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT)
    return place.address == "::1" and error.errno in absent


def explain(place: Place, error: OSError) -> str:
    """Why listening failed, naming who is in the way where that can be seen."""
    if error.errno == errno.EADDRINUSE:
        return f"port {place.port} on {place.address} is taken by {owner(place) or 'another program'}"
    if error.errno == errno.EACCES:
        return f"port {place.port} on {place.address} needs privileges this user has not"
    return f"cannot listen on {place}: {error.strerror}"


def owner(place: Place) -> str:
    """The program listening there, as `name (pid N)`, or empty if it cannot be seen."""
    inodes = _listening_inodes(place)
    if not inodes:
        return ""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and _holds(process, wanted):
            return _describe(process)
    return "a program of another user"


def _listening_inodes(place: Place) -> set[str]:
    found = set()
    address = ipaddress.ip_address(place.address)
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            local, state, inode = fields[1], fields[3], fields[9]
            host, port = local.split(":")
            if state == _LISTENING and int(port, 16) == place.port:
                bound = _parse_hex(host)
                mapped = getattr(bound, "ipv4_mapped", None)
                if bound.is_unspecified or address in (bound, mapped):
                    found.add(inode)
    return found


def _parse_hex(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """/proc/net/tcp prints addresses as words of the machine's byte order."""
    words = [text[start : start + 8] for start in range(0, len(text), 8)]
    raw = b"".join(int(word, 16).to_bytes(4, sys.byteorder) for word in words)
    return ipaddress.IPv4Address(raw) if len(raw) == 4 else ipaddress.IPv6Address(raw)


def _holds(process: Path, sockets: set[str]) -> bool:
    try:
        return any(str(entry.readlink()) in sockets for entry in (process / "fd").iterdir())
    except OSError:
        return False


def _describe(process: Path) -> str:
    try:
        words = (process / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        name = (process / "comm").read_text().strip()
    except OSError:
        return f"pid {process.name}"
    if not _SUPERVISOR.isdisjoint(words):
        home = os.fsdecode(words[-1])
        return f"the clauderon proxy of {home} (pid {process.name})"
    return f"{name} (pid {process.name})"
