"""What a container needs from the engine before it can start: its image, its network, the shared volumes.

Shared by `create`, `refresh` and `start`. In the usual case, all present, this is one `docker inspect`.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from clauderon import spec
from clauderon.agents.image import ImageFacts, parse_image_facts, probe_script
from clauderon.docker.client import Docker, Pending
from clauderon.docker.parse import Image, Network, Objects
from clauderon.errors import BackendError, Conflict, UsageError
from clauderon.paths import Home
from clauderon.session.context import Context, Progress, network_lock

VOLUME_LABELS = {"clauderon.volume": "1"}
NETWORK_LABELS = {"clauderon.network": "1"}
_LAYER_DONE = re.compile(r"^[0-9a-f]{6,}: (Pull complete|Already exists)")
_LAYER = re.compile(r"^[0-9a-f]{6,}: ")


def network_name(context: Context, mode: str) -> str:
    """The network of a mode: `proxied` sessions live on an internal one of their own."""
    base = context.config.docker.network
    return f"{base}-proxied" if mode == "proxied" else base


class Gateway(NamedTuple):
    """How a container reaches the host, cached as the fact `network:<name>`.

    native: the gateway's address is on this machine, so that source addresses are visible to the proxy.
    """

    network: str
    subnet: str
    gateway: str
    native: bool

    @property
    def host_address(self) -> str:
        """What `host.docker.internal` stands for in the container."""
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


@dataclass(slots=True)
class Inspection:
    """The one mixed inspect, under way beside everything else."""

    docker: Docker
    reference: str
    network: str
    pending: Pending
    made: Any = None

    @classmethod
    def start(cls, context: Context, reference: str, network: str) -> Inspection:
        names = [reference, network, *spec.SHARED_VOLUMES]
        made = context.store.fact(f"network-made:{network}")  # before the question, see `ensure_network`
        return cls(context.docker, reference, network, context.docker.inspect_start(names), made)

    def result(self) -> Objects:
        found = self.docker.inspected(self.pending)
        if found.hidden:
            # A session `proxied` has a container of the network's name, one `sccache` of a volume's.
            return self.docker.inspect_by_kind([self.reference, self.network, *spec.SHARED_VOLUMES])
        if not found.images:
            # `docker inspect` asks containers first: one of the image's name would have hidden the image.
            image = self.docker.image_inspect(self.reference)
            found = Objects((image,) if image else (), found.networks, found.volumes)
        return found


def ensure_image(context: Context, reference: str, policy: str, found: Image | None) -> Image:
    """The image, pulled if the policy asks for it. Raises UsageError under `never`, BackendError otherwise."""
    if policy == "never" and found is None:
        raise UsageError(
            f"image {reference}",
            "not on this engine, and the pull policy is never",
            hint=f"docker pull {reference}",
        )
    if found is not None and policy != "always":
        return found
    pull(context, reference)
    image = context.docker.image_inspect(reference)
    if image is None:
        raise BackendError(f"pull {reference}", "docker pulled it and does not have it", hint="docker images")
    return image


def pull(context: Context, reference: str) -> None:
    """Pull with a progress bar: layers done of layers seen."""
    layers: set[str] = set()
    done: set[str] = set()
    with context.report.progress(f"Pulling {reference}") as progress:
        progress.update(text="asking the registry")

        def on_line(line: str) -> None:
            _pull_line(line, layers, done, progress)

        context.docker.image_pull(reference, on_line=on_line)


def _pull_line(line: str, layers: set[str], done: set[str], progress: Progress) -> None:
    if _LAYER.match(line):
        layers.add(line.split(":")[0])
    if _LAYER_DONE.match(line):
        done.add(line.split(":")[0])
    progress.update(len(done), len(layers) or None, line.strip())


def image_facts(context: Context, image: Image) -> ImageFacts:
    """What is inside an image, looked up once per content id with a throwaway container."""
    known = context.store.image_facts(image.id)
    if known is not None:
        return ImageFacts.from_dict(known)
    answer = context.docker.run(
        "run", "--rm", "-i", "--pull", "never", "--network", "none", "--cap-drop", "ALL",
        "--label", f"clauderon.home={context.home.root}", "--label", "clauderon.probe=1",
        "--entrypoint", "sh", image.id,
        what=f"look into image {image.id[:19]}", stdin=probe_script().encode(),
    )  # fmt: skip
    facts = parse_image_facts(answer.text)
    context.store.keep_image_facts(image.id, facts.to_dict())
    return facts


def cached_gateway(context: Context, network: str) -> Gateway | None:
    value = context.store.fact(f"network:{network}")
    return Gateway(network=network, **value) if value else None


def ensure_network(
    context: Context, inspection: Inspection, found: Collection[Network], *, internal: bool
) -> Gateway:
    """Our bridge network, made if it is missing; remembers its gateway for the proxy."""
    name = inspection.network
    network = next((n for n in found if n.name == name), None)
    if network is None:
        fact = f"network-made:{name}"
        with network_lock(context, name):
            if context.store.fact(fact) != inspection.made:
                network = _only_network(context.docker, name)  # made by another command meanwhile
            else:
                network = _network_create(context, name, internal=internal)
                context.store.keep_fact(fact, network.id)
    gateway = _gateway(name, network)
    cached = cached_gateway(context, name)
    if cached != gateway:
        value: dict[str, Any] = {
            "subnet": gateway.subnet,
            "gateway": gateway.gateway,
            "native": gateway.native,
        }
        context.store.keep_fact(f"network:{name}", value)
    return gateway


def _network_create(context: Context, name: str, *, internal: bool) -> Network:
    """Make the network twice: docker picks a free subnet, then takes it as configured.

    Docker gives a container the address we choose only on a network whose subnet was configured.
    """
    docker = context.docker
    labels = NETWORK_LABELS
    try:
        docker.network_create(name, subnet="", internal=internal, labels=labels)
        picked = _only_network(docker, name)
        docker.network_remove(name)
        docker.network_create(name, subnet=picked.subnet, internal=internal, labels=labels)
    except (BackendError, Conflict):
        # Another command may have been making it at the same moment: theirs is as good as ours.
        if not docker.inspect(name).networks:
            raise
    return _only_network(docker, name)


def _only_network(docker: Docker, name: str) -> Network:
    networks = [n for n in docker.inspect(name).networks if n.name == name]
    if not networks:
        raise BackendError(f"network {name}", "docker made it and does not have it", hint="docker network ls")
    return networks[0]


def _gateway(name: str, network: Network) -> Gateway:
    if not network.subnet:
        raise BackendError(
            f"network {name}", "it has no IPv4 subnet", hint=f"docker network rm {name}   # it is made anew"
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


def ensure_volumes(context: Context, image: Image, found: Objects) -> None:
    """The shared volumes, made and opened to every uid; nothing to do when they are as we left them."""
    created = {volume.name: volume.created_at for volume in found.volumes}
    ready = context.store.fact("volumes") or {}
    todo = [n for n in spec.SHARED_VOLUMES if n not in created or ready.get(n) != created[n]]
    if not todo:
        return
    for name in todo:
        if name not in created:
            context.docker.volume_create(name, VOLUME_LABELS)
    _open_volumes(context, image, {name: spec.SHARED_VOLUMES[name] for name in todo})
    now = {v.name: v.created_at for v in context.docker.inspect(*spec.SHARED_VOLUMES).volumes}
    context.store.keep_fact("volumes", now)


def _open_volumes(context: Context, image: Image, targets: Mapping[str, str]) -> None:
    """Make the volumes' top directories writable to every uid (1777, like /tmp).

    A fresh volume belongs to root, and sessions run under any uid. Docker unpacks archives into containers that
    never ran, so this needs no program from the image at all.
    """
    import io
    import tarfile

    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name in targets:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777
            tar.addfile(entry)
    words = ["create", "--pull", "never", "--network", "none"]
    words += ["--label", f"clauderon.home={context.home.root}", "--label", "clauderon.probe=1"]
    for name in targets:
        words += ["--mount", f"type=volume,source={name},target=/clauderon-volumes/{name}"]
    container = context.docker.run(*words, image.id, "sh", what="open the shared volumes").text.strip()
    try:
        context.docker.copy_into(container, "/clauderon-volumes", archive.getvalue())
    finally:
        context.docker.container_remove(container)
