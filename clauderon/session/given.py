"""What a container may be given of this machine by `--volume`, `--mount` and `--tmpfs`, and where it may be put.

A part of `unsafe`. Looks at the disk and, for named volumes, asks the engine; changes nothing.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import NamedTuple

from clauderon import paths, runoptions, spec
from clauderon.record import Session
from clauderon.session import protected
from clauderon.session.context import Context

# What we mount ourselves, and what the engine puts there: nothing is mounted over, into or above these.
_OURS = (
    paths.CONTAINER_ROOT, "/etc/clauderon", f"{paths.WORKSPACE}/.git", f"{paths.WORKSPACE}/.clauderon",
    f"{paths.WORKSPACE}/.claude.json", "/etc/resolv.conf", "/etc/hosts", "/etc/hostname", "/etc/ssl", "/etc/pki",
    "/proc", "/sys", "/dev",
)  # fmt: skip
# Below those: an agent's own caches, and shared memory.
_FREE = (paths.CONTAINER_HOME, "/dev/shm")
_MODES = frozenset(
    ("ro", "rw", "z", "Z", "private", "rprivate", "delegated", "cached", "consistent", "nocopy", "copy")
)
# Of a volume in memory. `bind` is not among them: with it, the kernel forgets the type and shows the device.
_IN_MEMORY = re.compile(
    r"(?:(?:size|mode|uid|gid|nr_inodes|nr_blocks)=[0-9a-zA-Z%]+|rw|ro|noexec|nosuid|nodev|noatime|)\Z"
)
_VOLUME_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+\Z")


class Rules(NamedTuple):
    """What the rules need to know of a session to be made (or made anew).

    mounted: what containers of this home are given of this machine; written: what of that they may write. Each with
    the name of its session.
    """

    context: Context
    session: Session
    among: tuple[protected.Place, ...]
    mounted: Mapping[str, str]
    written: Mapping[str, str]


def volume(rules: Rules, item: str) -> str:
    """`SOURCE:TARGET[:OPTIONS]`, or a target alone."""
    parts = item.split(":")
    if len(parts) == 1:
        return _target(parts[0])
    if len(parts) > 3:
        return "it cannot be read for certain"
    modes = set(parts[2].split(",")) if len(parts) == 3 else set()
    odd = sorted(modes - _MODES - {""})
    if odd:
        return f"the option {odd[0]!a} is not on the list of those that are known to be safe"
    return _source(rules, parts[0], read_only="ro" in modes) or _target(parts[1])


def mount(rules: Rules, value: str) -> str:
    """Why a `--mount` is unsafe; empty if it is not."""
    told = runoptions.parse_mount(value)
    if told is None:
        return "it cannot be read for certain; use --volume"
    for name, said in told.extras:
        harmless = name in ("tmpfs-size", "tmpfs-mode", "consistency", "volume-nocopy", "bind-nonrecursive")
        if not harmless and (name, said) not in (
            ("bind-propagation", "private"),
            ("bind-propagation", "rprivate"),
        ):
            return f"{name} is not on the list of what is known to be safe"
    if told.kind == "tmpfs":
        return _target(told.target)
    if told.kind not in ("bind", "volume"):
        return f"type={told.kind} is not on the list of what is known to be safe"
    if told.kind == "bind" and not told.source.startswith("/"):
        return "its source is no absolute path"
    why = _source(rules, told.source, read_only=told.read_only) if told.source else ""
    return why or _target(told.target)


def _source(rules: Rules, source: str, *, read_only: bool) -> str:
    if not source.startswith("/"):
        return _named_volume(rules, source)
    why = protected.why_not(
        source, read_only=read_only, among=rules.among, environ=rules.context.environ
    )  # fmt: skip
    if why:
        return why
    real = protected.resolved(source)
    # What a container can write it can turn into a symlink, and the next start follows it.
    for directory, name in rules.written.items():
        if real.startswith(directory.rstrip("/") + "/"):
            return f"it is in {directory}, where the container of {name} can put a symlink in its place"
    for directory, name in rules.mounted.items():
        if not read_only and directory.startswith(real.rstrip("/") + "/"):
            return f"it contains {directory}, which is mounted in {name} and could be made a symlink"
    return ""


def _named_volume(rules: Rules, name: str) -> str:
    if not _VOLUME_NAME.match(name):
        return f"{name!a} is neither an absolute path nor the name of a volume"
    if name in spec.SHARED_VOLUMES or name.startswith("clauderon-"):
        return f"{name} is a volume that sessions share"
    for volume in rules.context.docker.inspect_by_kind([name]).volumes:
        if volume.driver != "local":
            return f"the volume {name} shows what its driver {volume.driver} has"
        in_memory = volume.options.get("type") == "tmpfs" and all(
            _IN_MEMORY.match(word) for word in volume.options.get("o", "").split(",")
        )
        if volume.options and not in_memory:
            return f"the volume {name} shows {volume.options.get('device') or 'something of this machine'}"
    return ""


def others(context: Context, session: Session) -> tuple[dict[str, str], dict[str, str]]:
    """`Rules.mounted` and `Rules.written`, the session's own among them."""
    mounted: dict[str, str] = {}
    written: dict[str, str] = {}
    for row in (*context.store.all(), session):
        values = [(item.split(":")[0], item.split(":")[2:]) for item in row.volumes if ":" in item]
        for option in runoptions.parse(row.extra_args).options:
            if option.name == "volume":
                values.append((option.value.split(":")[0], option.value.split(":")[2:]))
            elif option.name == "mount" and (mount := runoptions.parse_mount(option.value)):
                values.append((mount.source, ["ro"] if mount.read_only else []))
        for source, modes in values:
            if source.startswith("/"):
                mounted.setdefault(protected.resolved(source), row.name)
                if "ro" not in ",".join(modes).split(","):
                    written.setdefault(protected.resolved(source), row.name)
    return mounted, written


def _target(target: str) -> str:
    cleaned = posixpath.normpath("/" + target.lstrip("/"))
    if any(cleaned == free or cleaned.startswith(free + "/") for free in _FREE):
        return "" if cleaned != paths.CONTAINER_HOME else f"{cleaned} is mounted already"
    for ours in (*_OURS, paths.WORKSPACE):
        if cleaned == ours or ours.startswith(cleaned.rstrip("/") + "/"):
            return f"it would cover {ours}"
        if ours != paths.WORKSPACE and cleaned.startswith(ours + "/"):
            return f"it would be mounted into {ours}"
    return ""


def tmpfs(_rules: Rules, value: str) -> str:
    """Why a `--tmpfs` is unsafe; empty if it is not."""
    return _target(value.partition(":")[0])
