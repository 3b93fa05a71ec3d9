"""What a container needs from the engine before it can start: its image, its network (`volumes` has the caches).

Shared by `create`, `refresh` and `start`. In the usual case, all present, this is one `docker inspect`.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from typing import NamedTuple

from clauderon import filelock, names, spec
from clauderon.docker.calling import Pending
from clauderon.docker.client import Docker
from clauderon.docker.parse import Image, Network, Objects
from clauderon.errors import BackendError, Conflict, UsageError
from clauderon.paths import Home
from clauderon.record import Session
from clauderon.session.context import Context, network_lock

NETWORK_ATTEMPTS = 5
NETWORK_LABELS = {"clauderon.network": "1"}


def network_name(context: Context, session: Session) -> str:
    """The Docker network that a session is on."""
    return names.network(context.config.docker.network, session.network, session.id)


class Gateway(NamedTuple):
    """How a container reaches the host, cached as the fact `network:<name>`.

    native: the gateway's address is on this machine, so that source addresses are visible to the proxy.
    session: the id of the only session on it (`own_network`); "" for the shared one.
    network_id: docker's, where the network was looked at just now; not kept.
    """

    network: str
    subnet: str
    gateway: str
    native: bool
    session: str = ""
    network_id: str = ""

    @property
    def host_address(self) -> str:
        """What `host.docker.internal` resolves to in the container."""
        return self.gateway if self.native else "host-gateway"

    def holds(self, ip: str) -> bool:
        """Whether an address is one of this network, which may have been made anew with another subnet."""
        return bool(ip) and ipaddress.ip_address(ip) in ipaddress.ip_network(self.subnet)

    def address(self, home: Home, slot: int, attempt: int = 0) -> str:
        """A container's address: one a slot (the session's port), spread over homes that share the network."""
        net = ipaddress.IPv4Network(self.subnet)
        usable = net.num_addresses - 3  # network, gateway, broadcast
        offset = sum(str(home.root).encode()) * 251 % usable
        index = (offset + slot + attempt * 7919) % usable
        address = net.network_address + 1 + index
        return str(address if address < ipaddress.IPv4Address(self.gateway) else address + 1)


class Inspection(NamedTuple):
    """The one mixed inspect, under way beside everything else."""

    docker: Docker
    reference: str
    network: str
    pending: Pending

    @classmethod
    def start(cls, docker: Docker, reference: str, network: str) -> Inspection:
        """Ask the engine for what a create needs, without waiting."""
        return cls(docker, reference, network, docker.inspect_start(spec.engine_needs(reference, network)))

    def result(self) -> Objects:
        """The engine's answer. Raises BackendError."""
        found = self.docker.inspected(self.pending)
        if found.hidden:
            # A session named `proxied` has a container of the network's name, and one named `sccache` that of a volume.
            return self.docker.inspect_by_kind(spec.engine_needs(self.reference, self.network))
        if not found.images:
            # `docker inspect` asks containers first: one of the image's name would have hidden the image.
            image = self.docker.image_inspect(self.reference)
            found = Objects((image,) if image else (), found.networks, found.volumes)
        return found


def ensure_image(context: Context, reference: str, policy: str, found: Image | None, offline: str) -> Image:
    """The image, pulled if the policy asks for it. Raises UsageError under `never`, BackendError otherwise.

    offline: what to type to do without the registry.
    """
    if policy == "never" and found is None:
        raise UsageError(
            f"image {reference}",
            "not on this engine, and the pull policy is never",
            hint=f"docker pull {reference}",
        )
    if found is not None and policy != "always":
        return found
    pull(context, reference, offline)
    image = context.docker.image_inspect(reference)
    if image is None:
        raise BackendError(f"pull {reference}", "docker pulled it and does not have it", hint="docker images")
    return image


def pull(context: Context, reference: str, offline: str) -> None:
    """Pull with a progress bar: bytes, and layers."""
    with context.report.progress(f"Pulling {reference}") as progress:
        progress.update(text="asking the registry")
        context.docker.image_pull(
            reference, on_progress=progress.update, offline=offline, drawn=progress.drawn
        )


def cached_gateway(context: Context, network: str) -> Gateway | None:
    """What the database knows of a network's gateway; None if nothing."""
    value = context.store.fact(f"network:{network}")
    return Gateway(network=network, **value) if value else None


def ensure_network(context: Context, inspection: Inspection, found: Collection[Network]) -> Gateway:
    """The network of `open` sessions, made if it is missing; remembers its gateway for the proxy."""
    name = inspection.network
    network = next((n for n in found if n.name == name), None)
    if network is None:
        with network_lock(context, name):
            # Another command may have made it since it was asked for.
            network = network_of(context.docker, name) or _network_create(context, name)
    if not set(NETWORK_LABELS) <= network.labels.keys():
        context.report.warn(
            f"network {name} was not made by clauderon: containers on it may reach each other"
        )
    return remember(context, network)


def remember(context: Context, network: Network, session_id: str = "") -> Gateway:
    """The way to the host by this network, kept as a fact for the proxy."""
    gateway = _gateway(network)._replace(session=session_id)
    if cached_gateway(context, network.name) != gateway:
        value = {key: item for key, item in gateway._asdict().items() if key != "network" and item != ""}
        context.store.keep_fact(f"network:{network.name}", value)
    return gateway._replace(network_id=network.id)


def proven(context: Context, gateway: Gateway) -> None:
    """A container has its address on the network, so it is whole. Its maker may have been killed before it said so."""
    key = f"complete:{gateway.network}"
    if gateway.network_id and not gateway.session and context.store.fact(key) != gateway.network_id:
        context.store.keep_fact(key, gateway.network_id)


def complete(context: Context, gateway: Gateway) -> Gateway:
    """Make a network anew that a killed command left half made: with its subnet configured, and otherwise as it was.

    Returns the way by the one that is there now.
    """
    with network_lock(context, gateway.network):
        network = network_of(context.docker, gateway.network)
        if network is None:
            return gateway
        made = made_anew(context, network, internal=network.internal)
    return gateway._replace(network_id=made.id)


def made_anew(context: Context, network: Network, *, internal: bool) -> Network:
    """Raises BackendError for one that is not ours, or that containers are on."""
    name = network.name
    why = "it is not internal, so it is a way out" if internal and not network.internal else "it is half made"
    if network.endpoints or not set(NETWORK_LABELS) <= network.labels.keys():
        whose = f"{network.endpoints} containers are on it" if network.endpoints else "somebody else made it"
        hint = f"docker network rm {name}   # when nothing is on it any more; the next create makes it again"
        raise BackendError(f"network {name}", f"{why}, and {whose}", hint=hint)
    context.docker.network_remove(name)
    context.docker.network_create(name, subnet=network.subnet, internal=internal, labels=network.labels)
    return _whole(context, name)


def _whole(context: Context, name: str) -> Network:
    """The network that was just made to its end, remembered as that."""
    made = _only_network(context.docker, name)
    context.store.keep_fact(f"complete:{name}", made.id)
    return made


def half_made(context: Context) -> list[str]:
    """Our networks that no command of this home has made to the end, and that no container belongs to.

    The one that `proxied` sessions were on together is not wanted any more, so it is among them without its last one.
    """
    base = context.config.docker.network
    unwanted = names.shared_proxied(base)
    wanted = [base, unwanted]
    return [
        network.name
        for network in context.docker.inspect(*wanted).networks
        if network.name in wanted
        and set(NETWORK_LABELS) <= network.labels.keys()
        and not network.endpoints
        and (network.name == unwanted or context.store.fact(f"complete:{network.name}") != network.id)
        and not filelock.is_held(context.home.locks / f"network-{network.name}.lock")
        and not context.docker.network_users(network.name)
    ]


def _network_create(context: Context, name: str) -> Network:
    """Make the network twice: docker picks a free subnet, then takes it as configured.

    Docker gives a container the address we choose only on a network whose subnet was configured.
    """
    docker = context.docker
    labels = NETWORK_LABELS
    for attempt in range(NETWORK_ATTEMPTS):
        try:
            docker.network_create(name, subnet="", internal=False, labels=labels)
            picked = _only_network(docker, name)
            docker.network_remove(name)
            docker.network_create(name, subnet=picked.subnet, internal=False, labels=labels)
            return _whole(context, name)
        except (BackendError, Conflict) as error:
            # Another command may have been making it at the same moment: theirs is as good as ours.
            if network_of(docker, name) is not None:
                break
            # Or somebody else's network may have been given the subnet in between.
            if "overlaps" not in error.detail or attempt == NETWORK_ATTEMPTS - 1:
                raise
    return _only_network(docker, name)


def network_of(docker: Docker, name: str) -> Network | None:
    """The network with this name; None if there is none."""
    return next((n for n in docker.inspect(name).networks if n.name == name), None)


def _only_network(docker: Docker, name: str) -> Network:
    network = network_of(docker, name)
    if network is None:
        raise BackendError(f"network {name}", "docker made it and does not have it", hint="docker network ls")
    return network


def _gateway(network: Network) -> Gateway:
    name = network.name
    if not network.subnet:
        raise BackendError(
            f"network {name}",
            "it has no IPv4 subnet",
            hint=f"docker network rm {name}   # the next create makes it again",
        )
    gateway = network.gateway or str(ipaddress.ip_network(network.subnet)[1])
    return Gateway(name, network.subnet, gateway, _is_local(gateway))


def _is_local(address: str) -> bool:
    """Whether an address is on this machine: exactly then it can be bound."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
