"""`--volume` and `--publish`, which docker gets as a person typed them: what it would refuse is refused before. Pure.

The syntax is docker's: https://docs.docker.com/reference/cli/docker/container/run/, and nat.ParsePortSpec of
docker/go-connections. What only the engine can know (is the port free?) is the engine's to say.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
from collections.abc import Iterable
from pathlib import Path

from clauderon import paths
from clauderon.errors import UsageError

_VOLUME_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+\Z")
_MODES = frozenset(
    {
        *("ro", "rw", "z", "Z", "shared", "rshared", "slave", "rslave", "private", "rprivate"),
        *("delegated", "cached", "consistent", "nocopy", "copy"),
        # and podman's beside docker's
        *("U", "O", "exec", "noexec", "dev", "nodev", "suid", "nosuid", "bind", "rbind", "idmap"),
    }
)
_TAKEN = frozenset(
    {
        paths.WORKSPACE,
        paths.HOOKS,
        paths.CONTAINER_HOME,
        paths.CONTAINER_SESSION,
        paths.CONTAINER_AGENT,
        paths.CONTAINER_SCCACHE,
        paths.CONTAINER_SCCACHE_OWN,
        f"{paths.CONTAINER_CARGO_HOME}/registry",
        f"{paths.CONTAINER_CARGO_HOME}/git",
        paths.CONTAINER_CA,
    }
)
_PORTS = re.compile(r"(?P<first>[0-9]{1,5})(?:-(?P<last>[0-9]{1,5}))?\Z")
_PROTOCOLS = ("tcp", "udp", "sctp")
_LAST_PORT = 65535


def volumes(items: Iterable[str], cwd: Path) -> tuple[str, ...]:
    """`--volume` as docker takes it, a source that begins with a dot made absolute. Raises UsageError."""
    return tuple(_volume(item, cwd) for item in items)


def _volume(item: str, cwd: Path) -> str:
    what = f"--volume {item!a}"
    hint = "clauderon create --volume ~/data:/data:ro ..."
    parts = item.split(":")
    if "" in parts or len(parts) > 3:
        raise UsageError(what, "not SOURCE:TARGET or SOURCE:TARGET:OPTIONS", hint=hint)
    source, target = parts[0], parts[1] if len(parts) > 1 else parts[0]
    if not target.startswith("/"):
        raise UsageError(what, f"{target!a} is no absolute path in the container", hint=hint)
    target = posixpath.normpath("/" + target.lstrip("/"))
    if target == "/" or target in _TAKEN:
        raise UsageError(what, f"{target} is not to be mounted over", hint=hint)
    unknown = [
        word for word in ",".join(parts[2:]).split(",") if word and word.partition("=")[0] not in _MODES
    ]
    if unknown:
        raise UsageError(what, f"docker knows no option {unknown[0]!a}", hint=hint)
    if len(parts) > 1 and source.startswith("."):
        return ":".join([posixpath.normpath(cwd / source), *parts[1:]])
    if len(parts) > 1 and not source.startswith("/") and not _VOLUME_NAME.match(source):
        raise UsageError(what, f"{source!a} is neither a path nor the name of a volume", hint=hint)
    return item


def publish(items: Iterable[str]) -> tuple[str, ...]:
    """`--publish` as docker takes it: `80`, `8080:80`, `127.0.0.1:8080:80/udp`, `8000-8009:80`. Raises UsageError."""
    for item in items:
        _publish(item)
    return tuple(items)


def _publish(item: str) -> None:
    what = f"--publish {item!a}"
    hint = "clauderon create --publish 127.0.0.1:8080:80 ..."
    ports, slash, protocol = _standard(item, what, hint).partition("/")
    if slash and protocol.lower() not in _PROTOCOLS:
        raise UsageError(what, f"use {', '.join(_PROTOCOLS[:-1])} or {_PROTOCOLS[-1]}", hint=hint)
    rest, _, inside = ports.rpartition(":")
    address, _, outside = rest.rpartition(":")
    wanted = _range(inside, what, hint)
    offered = _range(outside, what, hint) if outside else wanted
    if wanted != offered and wanted > 1:
        raise UsageError(what, f"{inside} and {outside} are not as many ports", hint=hint)
    if address:
        try:
            ipaddress.ip_address(address.removeprefix("[").removesuffix("]"))
        except ValueError:
            raise UsageError(what, f"{address!a} is no IP address", hint=hint) from None


def _standard(item: str, what: str, hint: str) -> str:
    """docker's other way to write it, `target=80,published=8080,protocol=tcp`, in the usual one."""
    if "=" not in item:
        return item
    fields = dict(field.partition("=")[::2] for field in item.split(","))
    if "target" not in fields or fields.keys() - {"target", "published", "protocol", "mode"}:
        raise UsageError(what, "not target=PORT,published=PORT,protocol=NAME", hint=hint)
    return f"{fields.get('published', '')}:{fields['target']}/{fields.get('protocol', 'tcp')}"


def _range(text: str, what: str, hint: str) -> int:
    """How many ports there are in `80` or `80-89`. Raises UsageError."""
    match = _PORTS.match(text)
    first, last = (int(match["first"]), int(match["last"] or match["first"])) if match else (0, -1)
    if not first <= last <= _LAST_PORT:
        raise UsageError(what, f"{text!a} is not a port", hint=hint)
    return last - first + 1
