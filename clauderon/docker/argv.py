"""Argument builders for docker. Pure: a list of words in, a list of words out, the program's name left off."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from clauderon.mount import Mount
from clauderon.proc import operand
from clauderon.spec import LABEL_HOME, LABEL_ID, LABEL_LENT, LABEL_PROBE, LABEL_SESSION, LABEL_UNSAFE

if TYPE_CHECKING:
    from clauderon.spec import ContainerSpec


# The files of a container's log.
LOG_FILES = 4


def mount_value(mount: Mount) -> str:
    """The value of `--mount`: CSV, so that colons, commas and quotes in a path survive (`-v` splits at colons)."""
    if mount.kind == "overlay":
        return ",".join(_csv(field) for field in _overlay_fields(mount))
    fields = [f"type={mount.kind}", f"source={mount.source}", f"target={mount.target}"]
    if mount.read_only:
        fields.append("readonly")
    if mount.kind == "volume":
        # Without it docker copies what the image has there into an empty volume, owner and mode included.
        fields.append("volume-nocopy")
    return ",".join(_csv(field) for field in fields)


def _overlay_fields(mount: Mount) -> list[str]:
    """A volume without a name, which is removed with its container. Its labels say whose it is, should it be left."""
    home, session_id = mount.owner
    return [
        "type=volume",
        f"target={mount.target}",
        "volume-nocopy",
        "volume-driver=local",
        f"volume-label={LABEL_HOME}={home}",
        f"volume-label={LABEL_LENT}={session_id}",
        "volume-opt=type=overlay",
        "volume-opt=device=overlay",
        f"volume-opt=o={mount.source}",
    ]


def _csv(field: str) -> str:
    if any(character in field for character in ',"\n\r'):
        return '"' + field.replace('"', '""') + '"'
    return field


def labels_argv(labels: Mapping[str, str]) -> list[str]:
    """`--label` options."""
    return [word for name, value in labels.items() for word in ("--label", f"{name}={value}")]


def filters_argv(filters: Mapping[str, str]) -> list[str]:
    """`--filter` options that select by label."""
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
    return [*argv, *spec.extra_args, operand(spec.image), *spec.command[1:]]


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
    """`docker run -d` for a session; `--pull never`, since the pull policy was applied before.

    docker hands a signal that ends this call on to the container, if it has begun: `--sig-proxy=false` keeps an
    interrupt of ours from the agent.
    """
    return ["run", "-d", "--sig-proxy=false", "--pull", "never", *_container_argv(spec)]


def container_create_argv(spec: ContainerSpec) -> list[str]:
    """`docker create` for a session: the same container, not started."""
    return ["create", "--pull", "never", *_container_argv(spec)]


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


def container_stats_argv(ids: Collection[str]) -> list[str]:
    """What these running containers use now: one JSON object a line. docker measures for a second or two."""
    fields = '{"id":{{json .ID}},"cpu":{{json .CPUPerc}},"memory":{{json .MemUsage}}}'
    return ["stats", "--no-stream", "--no-trunc", "--format", fields, *map(operand, ids)]


def volume_users_argv(volume: str) -> list[str]:
    """Every container, running or not, that mounts the volume."""
    return [*_CONTAINER_LS, "--filter", f"volume={volume}", "--format", _CONTAINER]


def image_list_argv() -> list[str]:
    """`docker image ls`: one JSON object a line, no dangling images."""
    return ["image", "ls", "--no-trunc", "--filter", "dangling=false", "--format", "{{json .}}"]


def network_list_argv(labels: Mapping[str, str]) -> list[str]:
    """The names of the networks that have all of these labels."""
    filters = [word for key, value in labels.items() for word in ("--filter", f"label={key}={value}")]
    return ["network", "ls", *filters, "--format", "{{.Name}}"]


def network_users_argv(network: str) -> list[str]:
    """Every container, running or not, that belongs to the network."""
    return [*_CONTAINER_LS, "--filter", f"network={network}", "--format", _CONTAINER]


def inspect_argv(names: Collection[str]) -> list[str]:
    """Images, networks and volumes of these names, whichever there are."""
    return ["inspect", "--format", "{{json .}}", *map(operand, names)]


# The whole answer would have ten kilobytes, with the log of the health checks among them.
_DETAIL = ",".join(
    f'"{path.rpartition(".")[2]}":{{{{json .{path}}}}}'
    for path in (
        *("Id", "Name", "Image", "Config.Labels", "NetworkSettings.Networks"),
        *("State.Running", "State.ExitCode", "State.OOMKilled", "State.Error", "State.StartedAt"),
    )
)


def container_inspect_argv(name: str) -> list[str]:
    """`docker container inspect` of one container, as one JSON object of what `ContainerDetail` has."""
    return ["container", "inspect", "--format", "{" + _DETAIL + "}", operand(name)]


def network_create_argv(name: str, *, subnet: str, internal: bool, labels: Mapping[str, str]) -> list[str]:
    """A bridge network with inter-container traffic off."""
    argv = ["network", "create", "--driver", "bridge"]
    argv += ["--opt", "com.docker.network.bridge.enable_icc=false"]
    if internal:
        argv.append("--internal")
    if subnet:
        argv += ["--subnet", subnet]
    return [*argv, *labels_argv(labels), operand(name)]


def container_volumes_argv(name: str) -> list[str]:
    """The named volumes that are mounted in a container: a line each, name, tab, where."""
    shown = '{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}}\t{{.Destination}}\n{{end}}{{end}}'
    return ["container", "inspect", "--format", shown, operand(name)]


def volume_create_argv(name: str, labels: Mapping[str, str]) -> list[str]:
    """`docker volume create`."""
    return ["volume", "create", *labels_argv(labels), operand(name)]


def volume_list_argv(label: str) -> list[str]:
    """The volumes with this label, and its value."""
    return ["volume", "ls", "--filter", f"label={label}", "--format", _volume(label)]


def volumes_left_argv(home: str) -> list[str]:
    """The overlays of a home's sessions that no container has, each with its session."""
    filters = ["dangling=true", f"label={LABEL_HOME}={home}", f"label={LABEL_LENT}"]
    words = [word for each in filters for word in ("--filter", each)]
    return ["volume", "ls", *words, "--format", _volume(LABEL_LENT)]


def _volume(label: str) -> str:
    return f'{{"Name":{{{{json .Name}}}},"Label":{{{{json (.Label "{label}")}}}}}}'


def container_remove_argv(name: str) -> list[str]:
    """`docker container rm`, also of a running one, with its anonymous volumes."""
    return ["container", "rm", "--force", "--volumes", operand(name)]


def container_stop_argv(name: str, grace_s: int) -> list[str]:
    """`docker stop`; `grace_s` seconds until the engine kills."""
    return ["stop", "--time", str(grace_s), operand(name)]


def container_start_argv(name: str) -> list[str]:
    """`docker start`."""
    return ["start", operand(name)]


def container_rename_argv(name: str, new_name: str) -> list[str]:
    """`docker rename`."""
    return ["rename", operand(name), operand(new_name)]


def container_wait_argv(name: str) -> list[str]:
    """`docker wait`: prints the exit status."""
    return ["wait", operand(name)]


def copy_into_argv(container: str, directory: str) -> list[str]:
    """Unpack the tar archive on stdin."""
    return ["cp", "-", f"{operand(container)}:{directory}"]


def image_pull_argv(reference: str) -> list[str]:
    """`docker pull`."""
    return ["pull", "--", reference]


def image_in_registry_argv(reference: str) -> list[str]:
    """`docker manifest inspect`: whether a registry has the image."""
    registry = reference.partition("/")[0]
    # docker itself takes a registry on loopback without TLS, and `manifest` only when told.
    insecure = ["--insecure"] if registry.startswith(("127.", "localhost")) else []
    return ["manifest", "inspect", *insecure, "--", reference]


def inspect_kind_argv(kind: str, names: Collection[str]) -> list[str]:
    """As `inspect_argv`, for things of one kind: `image`, `network` or `volume`."""
    return [operand(kind), "inspect", "--format", "{{json .}}", *map(operand, names)]


def network_remove_argv(name: str) -> list[str]:
    """`docker network rm`."""
    return ["network", "rm", operand(name)]


def volume_remove_argv(name: str) -> list[str]:
    """`docker volume rm`."""
    return ["volume", "rm", operand(name)]
