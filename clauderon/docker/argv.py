"""Argument builders for docker. Pure: a list of words in, a list of words out, the program's name left off."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from clauderon.mount import Mount
from clauderon.spec import LABEL_HOME, LABEL_ID, LABEL_PROBE, LABEL_SESSION, LABEL_UNSAFE

if TYPE_CHECKING:
    from clauderon.spec import ContainerSpec


# The files of a container's log.
LOG_FILES = 4


def mount_value(mount: Mount) -> str:
    """The value of `--mount`: CSV, so that colons, commas and quotes in a path survive (`-v` splits at colons)."""
    fields = [f"type={mount.kind}", f"source={mount.source}", f"target={mount.target}"]
    if mount.read_only:
        fields.append("readonly")
    return ",".join(_csv(field) for field in fields)


def _csv(field: str) -> str:
    if any(character in field for character in ',"\n\r'):
        return '"' + field.replace('"', '""') + '"'
    return field


def labels_argv(labels: Mapping[str, str]) -> list[str]:
    return [word for name, value in labels.items() for word in ("--label", f"{name}={value}")]


def filters_argv(filters: Mapping[str, str]) -> list[str]:
    return [word for name, value in filters.items() for word in ("--filter", f"label={name}={value}")]


def _container_argv(spec: ContainerSpec) -> list[str]:
    argv = ["--name", spec.name, "--init", "--workdir", spec.workdir]
    if spec.hostname:
        argv += ["--hostname", spec.hostname]
    if spec.user:
        argv += ["--user", spec.user]
    argv += ["--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    if spec.pids:
        argv += ["--pids-limit", str(spec.pids)]
    if spec.cpus:
        argv += ["--cpus", spec.cpus]
    if spec.memory:
        argv += ["--memory", spec.memory]
    for name, most in spec.ulimits.items():
        argv += ["--ulimit", f"{name}={most}:{most}"]
    argv += _log_argv(spec)
    if spec.disk:
        argv += ["--storage-opt", f"size={spec.disk}"]
    if spec.network:
        argv += ["--network", spec.network]
    if spec.ip:
        argv += ["--ip", spec.ip]
    for host, address in spec.add_hosts.items():
        argv += ["--add-host", f"{host}:{address}"]
    for server in spec.dns:
        argv += ["--dns", server]
    argv += labels_argv(spec.labels)
    for mount in spec.mounts:
        argv += ["--mount", mount_value(mount)]
    for volume in spec.volumes:
        argv += ["--volume", volume]
    for port in spec.publish:
        argv += ["--publish", port]
    for name, value in spec.env.items():
        argv += ["--env", f"{name}={value}"]
    # -i and -t even without a terminal of ours: `attach` joins the agent's terminal later.
    argv += ["-i", "-t"] if spec.tty else ["-i"]
    # An image's own entry point would get our start script as its arguments.
    argv += ["--entrypoint", spec.command[0]]
    return argv


def _log_argv(spec: ContainerSpec) -> list[str]:
    """A log of a bounded size. `json-file` is named since no two drivers take the same options.

    Who chooses a driver with `extra_args` bounds it there: ours would be given the other's options.
    """
    if not spec.log_max_mib or any(
        word.startswith(("--log-driver", "--log-opt")) for word in spec.extra_args
    ):
        return []
    # json-file's `k` is 1000 bytes; a whole file is dropped when the last one is full.
    size = f"max-size={spec.log_max_mib * 1024 // LOG_FILES}k"
    return ["--log-driver", "json-file", "--log-opt", size, "--log-opt", f"max-file={LOG_FILES}"]


def container_run_argv(spec: ContainerSpec) -> list[str]:
    """`docker run -d` for a session; `--pull never`, since the pull policy was applied before."""
    return [
        "run",
        "-d",
        "--pull",
        "never",
        *_container_argv(spec),
        *spec.extra_args,
        spec.image,
        *spec.command[1:],
    ]


def container_create_argv(spec: ContainerSpec) -> list[str]:
    """`docker create` for a session: the same container, not started."""
    return [
        "create",
        "--pull",
        "never",
        *_container_argv(spec),
        *spec.extra_args,
        spec.image,
        *spec.command[1:],
    ]


_CONTAINER_LS = ("container", "ls", "--all", "--no-trunc")
# `{{json .}}` would join all labels with commas, which theirs may hold too, and cost a third more: it prints every
# session's whole record.
_LABELS = ",".join(
    f'"{label}":{{{{json (.Label "{label}")}}}}'
    for label in (LABEL_SESSION, LABEL_ID, LABEL_HOME, LABEL_PROBE, LABEL_UNSAFE)
)
_FIELDS = ",".join(
    f'"{field}":{{{{json .{field}}}}}' for field in ("ID", "Names", "State", "Status", "Image")
)
_CONTAINER = f'{{{_FIELDS},"Labels":{{{_LABELS}}}}}'


def container_list_argv(filters: Mapping[str, str]) -> list[str]:
    """Every container with these labels, running or not; an empty answer is success.

    One call answers `list` for any number of sessions.
    """
    return [*_CONTAINER_LS, *filters_argv(filters), "--format", _CONTAINER]


def volume_users_argv(volume: str) -> list[str]:
    """Every container, running or not, that mounts the volume."""
    return [*_CONTAINER_LS, "--filter", f"volume={volume}", "--format", _CONTAINER]


def image_list_argv() -> list[str]:
    return ["image", "ls", "--no-trunc", "--filter", "dangling=false", "--format", "{{json .}}"]


def inspect_argv(names: Collection[str]) -> list[str]:
    """Images, networks and volumes of these names, whichever there are."""
    return ["inspect", "--format", "{{json .}}", *names]


def container_inspect_argv(name: str) -> list[str]:
    return ["container", "inspect", "--format", "{{json .}}", name]


def network_create_argv(name: str, *, subnet: str, internal: bool, labels: Mapping[str, str]) -> list[str]:
    """A bridge network with inter-container traffic off."""
    argv = ["network", "create", "--driver", "bridge"]
    argv += ["--opt", "com.docker.network.bridge.enable_icc=false"]
    if internal:
        argv.append("--internal")
    if subnet:
        argv += ["--subnet", subnet]
    return [*argv, *labels_argv(labels), name]


def volume_create_argv(name: str, labels: Mapping[str, str]) -> list[str]:
    return ["volume", "create", *labels_argv(labels), name]
