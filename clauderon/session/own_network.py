"""The network of one `proxied` session: internal, and nobody else is on it.

Docker's resolver answers the names of all containers on a network, and has no switch for it: here it knows none but the
session's own. What is made is labelled with home and session, so that it is found without the database too. Such a
network is small, and its subnet is ours to choose: docker would take one of its own pools for it, of which it has few.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Collection, Iterator
from pathlib import Path

from clauderon import names, spec
from clauderon.docker import argv
from clauderon.docker.parse import Network
from clauderon.errors import BackendError, ClauderonError, Conflict
from clauderon.record import Session
from clauderon.session.context import Context
from clauderon.session.resources import (
    NETWORK_LABELS,
    Gateway,
    cached_gateway,
    made_anew,
    network_name,
    network_of,
    remember,
)

# Reserved for benchmarks between devices, so hardly ever routed; the second for machines where it is.
RANGES = ("198.18.0.0/15", "10.213.0.0/16")
PREFIX = 29
ATTEMPTS = 12
_STRIDE = 7919
_ROUTES = Path("/proc/net/route")


def ensure(context: Context, session: Session, found: Collection[Network]) -> Gateway:
    """The session's network, made if it is missing; remembers its gateway for the proxy."""
    name = network_name(context, session)
    network = next((n for n in found if n.name == name), None) or _create(context, session, name)
    if not network.internal:
        network = made_anew(context, network, internal=True)
    return remember(context, network, session.id)


def planned(context: Context, session: Session) -> tuple[Gateway, list[str]]:
    """What `ensure` would make first, and docker's words for it; for a script that makes it."""
    name, subnet = network_name(context, session), next(_subnets(context, session))
    create = argv.network_create_argv(name, subnet=subnet, internal=True, labels=_labels(context, session))
    gateway = str(ipaddress.ip_network(subnet)[1])
    # The shared network is on the same engine, so its gateway is reached in the same way.
    shared = cached_gateway(context, context.config.docker.network)
    native = shared is None or shared.native
    return Gateway(name, subnet, gateway, native, session.id), create


def recall(context: Context, session: Session) -> None:
    """Remember the gateway of the network that a session without a row is on."""
    if session.network != "proxied":
        return
    own = network_name(context, session)
    network = network_of(context.docker, own)
    if network is not None:
        remember(context, network, session.id)
        return
    shared = network_of(context.docker, names.shared_proxied(context.config.docker.network))
    if shared is not None:
        remember(context, shared)


def remove(context: Context, session: Session) -> None:
    """Remove the session's network, whose container is gone. One that cannot be removed is left to `reconcile`."""
    if session.network != "proxied":
        return
    facts = context.store.facts("network:")
    known = {key.removeprefix("network:") for key, fact in facts.items() if fact.get("session") == session.id}
    for name in sorted({network_name(context, session), *known}):
        try:
            context.docker.network_remove(name)
        except ClauderonError as error:
            context.report.warn(f"network {name} is left: {error}; to remove it later: clauderon reconcile")
        context.store.keep_fact(f"network:{name}", None)


def left(context: Context) -> list[str]:
    """Networks of this home's sessions that are gone, and that no container belongs to."""
    labels = {spec.LABEL_HOME: str(context.home.root), **NETWORK_LABELS}
    there = context.docker.network_list(labels)
    if not there:
        return []
    found = context.docker.inspect_by_kind(there).networks
    # Asked after the networks: a create writes its row first.
    known = {session.id for session in context.store.all()}
    return [
        network.name
        for network in found
        if network.labels.get(spec.LABEL_ID, "") not in known
        and not context.docker.network_users(network.name)
    ]


def _labels(context: Context, session: Session) -> dict[str, str]:
    return {**NETWORK_LABELS, spec.LABEL_HOME: str(context.home.root), spec.LABEL_ID: session.id}


def _create(context: Context, session: Session, name: str) -> Network:
    docker = context.docker
    refused: ClauderonError | None = None
    for subnet in _subnets(context, session):
        try:
            docker.network_create(name, subnet=subnet, internal=True, labels=_labels(context, session))
            return Network(name, "", subnet, str(ipaddress.ip_network(subnet)[1]), internal=True, labels={})
        except (BackendError, Conflict) as error:
            there = network_of(docker, name)
            if there is not None:
                return there
            if "overlap" not in error.detail:
                raise
            refused = error
    raise BackendError(
        f"network {name}",
        f"every subnet that was tried in {' and '.join(RANGES)} is in use"
        + (f": {refused}" if refused else ""),
        hint="docker network ls; ip route",
    )


def _subnets(context: Context, session: Session) -> Iterator[str]:
    """What to try, in this order: the subnet it had, then one a session's port, spread over homes.

    Without those that this machine reaches otherwise: docker asks that of none that is given to it. Always one.
    """
    routed = _routed()
    cached = cached_gateway(context, network_name(context, session))
    offset = sum(str(context.home.root).encode()) * 251
    tried = [cached.subnet] if cached else []
    for attempt in range(ATTEMPTS):
        net = ipaddress.IPv4Network(RANGES[attempt % len(RANGES)])
        index = (offset + session.port + attempt * _STRIDE) % (1 << (PREFIX - net.prefixlen))
        tried.append(f"{net.network_address + (index << (32 - PREFIX))}/{PREFIX}")
    free = [one for one in tried if not any(ipaddress.IPv4Network(one).overlaps(route) for route in routed)]
    yield from free or tried


def _routed() -> list[ipaddress.IPv4Network]:
    """What this machine has a route to, but for the default one; nothing where that cannot be read."""
    try:
        rows = [line.split() for line in _ROUTES.read_text().splitlines()[1:]]
    except OSError:
        return []
    found = []
    for row in rows:
        # Words of the machine's byte order.
        address, mask = (struct.pack("=I", int(row[column], 16)) for column in (1, 7))
        if any(mask):
            found.append(ipaddress.IPv4Network((address, bin(int.from_bytes(mask, "big")).count("1"))))
    return found
