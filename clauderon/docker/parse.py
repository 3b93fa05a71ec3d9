"""Parsers for what docker prints. Pure: text in, frozen dataclasses out; Unreadable for anything else."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, ParamSpec, TypeVar

from clauderon.errors import BackendError


class Container(NamedTuple):
    """A line of `container ls`. `state` is docker's word: created, running, paused, exited, dead, restarting.

    labels: those alone that tell whose it is.
    """

    id: str
    name: str
    state: str
    status: str
    image: str
    labels: Mapping[str, str]

    @property
    def exit_status(self) -> int | None:
        """The status in `Exited (3) 2 minutes ago`, or None."""
        match = re.match(r"Exited \((\d+)\)", self.status)
        return int(match[1]) if match else None


class Stats(NamedTuple):
    """What a container uses: cpu in percent of one core, memory in bytes."""

    cpu: float
    memory: int


class ContainerDetail(NamedTuple):
    """The part of `container inspect` that is used."""

    id: str
    name: str
    running: bool
    exit_status: int
    oom_killed: bool
    error: str
    image_id: str
    started_at: str
    ip: str
    labels: Mapping[str, str]

    @property
    def began(self) -> bool:
        """Whether it has ever run: docker dates what has not to the year 1."""
        return not self.started_at.startswith("0001-")


class Image(NamedTuple):
    """id: the content id, `sha256:...`."""

    id: str
    digests: tuple[str, ...]
    architecture: str
    os: str
    user: str
    env: tuple[str, ...]
    size: int
    labels: Mapping[str, str] = {}


class Network(NamedTuple):
    """endpoints: running containers that are on it."""

    name: str
    id: str
    subnet: str
    gateway: str
    internal: bool
    labels: Mapping[str, str]
    endpoints: int = 0


class Volume(NamedTuple):
    """driver, options: what it is made of; a `local` one without options is a directory of the engine's own."""

    name: str
    created_at: str
    labels: Mapping[str, str]
    driver: str = "local"
    options: Mapping[str, str] = {}


class Objects(NamedTuple):
    """What one mixed `docker inspect` found.

    hidden: a container bears one of the names, and docker showed it instead of what was meant.
    """

    images: tuple[Image, ...] = ()
    networks: tuple[Network, ...] = ()
    volumes: tuple[Volume, ...] = ()
    hidden: bool = False


class Unreadable(BackendError, ValueError):
    """What answers to docker's name gave an answer that docker does not give."""


Asked = ParamSpec("Asked")
Read = TypeVar("Read")


def _of_docker(parser: Callable[Asked, Read]) -> Callable[Asked, Read]:
    """The parser, raising Unreadable for whatever cannot be read."""

    @functools.wraps(parser)
    def parsed(*args: Asked.args, **kwargs: Asked.kwargs) -> Read:
        try:
            return parser(*args, **kwargs)
        except Unreadable:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
            raise Unreadable(
                "docker",
                "its answer is none that docker gives",
                hint="command -v docker; docker version   # is it docker, and does it print nothing of its own?",
                detail=f"{type(error).__name__}: {error}",
            ) from error

    return parsed


@_of_docker
def json_lines(text: str) -> list[dict[str, Any]]:
    """One JSON object a line. Raises ValueError."""
    found = [json.loads(line) for line in text.splitlines() if line.strip()]
    if not all(isinstance(item, dict) for item in found):
        raise ValueError("not one JSON object a line")
    return found


@_of_docker
def parse_volume_list(text: str) -> dict[str, str]:
    """Names of volumes, and the value of the label that was asked for of each."""
    return {item["Name"]: item["Label"] for item in json_lines(text)}


@_of_docker
def parse_image_list(text: str) -> list[tuple[str, str]]:
    """(`repository:tag`, content id) of every image that has a name, in docker's order: newest first."""
    return [
        (f"{item['Repository']}:{item['Tag']}", item["ID"])
        for item in json_lines(text)
        if "<none>" not in (item["Repository"], item["Tag"])
    ]


@_of_docker
def parse_container_list(text: str) -> list[Container]:
    """The answer of `docker ps`, one JSON object a line."""
    return [
        Container(
            id=item["ID"],
            name=item["Names"],
            state=item.get("State") or _state_of(item.get("Status", "")),
            status=item.get("Status", ""),
            image=item.get("Image", ""),
            # A label that a container has not is answered as an empty one.
            labels={label: value for label, value in item.get("Labels", {}).items() if value},
        )
        for item in json_lines(text)
    ]


def _state_of(status: str) -> str:
    """Engines before 20.10 leave `State` out."""
    if status.startswith("Up"):
        return "paused" if "(Paused)" in status else "running"
    return {"Exited": "exited", "Created": "created", "Dead": "dead"}.get(status.split(" ")[0], "exited")


@_of_docker
def parse_container_inspect(text: str) -> ContainerDetail:
    """The answer of `docker container inspect` for one container, in the format that `argv` asks for."""
    item = json_lines(text)[0]
    return ContainerDetail(
        id=item["Id"],
        name=item["Name"].removeprefix("/"),
        running=bool(item["Running"]),
        exit_status=int(item["ExitCode"]),
        oom_killed=bool(item["OOMKilled"]),
        error=item["Error"] or "",
        image_id=item["Image"],
        started_at=item["StartedAt"] or "",
        ip=next((_address(network) for network in (item["Networks"] or {}).values()), ""),
        labels=item["Labels"] or {},
    )


@_of_docker
def parse_inspect(text: str) -> Objects:
    """A mixed `docker inspect --format '{{json .}}'`: images, networks and volumes told apart by their shape."""
    images, networks, volumes = [], [], []
    hidden = False
    for item in json_lines(text):
        if "RootFS" in item:
            images.append(_image(item))
        elif "IPAM" in item:
            networks.append(_network(item))
        elif "Mountpoint" in item:
            volumes.append(_volume(item))
        else:
            hidden = True
    return Objects(tuple(images), tuple(networks), tuple(volumes), hidden)


def _volume(item: Mapping[str, Any]) -> Volume:
    return Volume(
        name=item["Name"],
        created_at=item.get("CreatedAt", ""),
        labels=item.get("Labels") or {},
        driver=item.get("Driver") or "local",
        options=item.get("Options") or {},
    )


def _image(item: Mapping[str, Any]) -> Image:
    config = item.get("Config") or {}
    return Image(
        id=item["Id"],
        digests=tuple(item.get("RepoDigests") or ()),
        architecture=item.get("Architecture", ""),
        os=item.get("Os", ""),
        user=config.get("User", ""),
        env=tuple(config.get("Env") or ()),
        size=int(item.get("Size", 0)),
        labels=config.get("Labels") or {},
    )


def _address(network: Mapping[str, Any]) -> str:
    """A stopped container has none, and keeps the one it asked for."""
    return network.get("IPAddress") or (network.get("IPAMConfig") or {}).get("IPv4Address") or ""


def _network(item: Mapping[str, Any]) -> Network:
    # The first IPv4 pool; there may be an IPv6 one beside it.
    pools = [p for p in (item["IPAM"].get("Config") or ()) if ":" not in p.get("Subnet", "")]
    pool = pools[0] if pools else {}
    return Network(
        name=item["Name"],
        id=item["Id"],
        subnet=pool.get("Subnet", ""),
        gateway=pool.get("Gateway", ""),
        internal=bool(item.get("Internal")),
        labels=item.get("Labels") or {},
        endpoints=len(item.get("Containers") or {}),
    )


@_of_docker
def parse_disk_usage(text: str) -> dict[str, tuple[str, int]]:
    """`system df -v --format '{{json .}}'`: volume name to its size as docker words it and its number of users."""
    found: dict[str, tuple[str, int]] = {}
    for item in json_lines(text):
        for volume in item.get("Volumes") or ():
            found[volume["Name"]] = (volume.get("Size", ""), int(volume.get("Links", 0) or 0))
    return found


_SIZE = re.compile(r"([0-9.]+(?:e[+-]?[0-9]+)?)\s*([kKMGTP]?)(i?)B")


@_of_docker
def parse_stats(text: str) -> dict[str, Stats]:
    """`container_stats_argv`: container id to what it uses; one that has just ended (`--`) is left out."""
    found = {}
    for item in json_lines(text):
        size = _SIZE.match(item["memory"])
        cpu = item["cpu"].removesuffix("%")
        if size is None or not re.fullmatch(r"[0-9.]+", cpu):
            continue
        power = " KMGTP".index(size[2].upper() or " ")
        found[item["id"]] = Stats(float(cpu), round(float(size[1]) * (1024 if size[3] else 1000) ** power))
    return found
