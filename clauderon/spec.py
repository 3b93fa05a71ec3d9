"""From what was asked (flags, configuration) to what Docker is told: parsing of references and the like, and
the ContainerSpec. Pure: no process, no disk.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from clauderon import grammar, names, paths
from clauderon.config.schema import NOTHING
from clauderon.errors import UsageError
from clauderon.mount import Mount

if TYPE_CHECKING:
    from clauderon.record import Session

SCHEMA = "1"
LABEL_SESSION = "clauderon.session"
LABEL_ID = "clauderon.id"
LABEL_HOME = "clauderon.home"
LABEL_SPEC = "clauderon.spec"
LABEL_SCHEMA = "clauderon.schema"
# Of a session that was given what undoes its protection: how many things.
LABEL_GROUP = "clauderon.group"
LABEL_UNSAFE = "clauderon.unsafe"
# Of a throwaway container: the session it is made for.
LABEL_PROBE = "clauderon.probe"
# Of the overlay over the objects that a session borrows: the session's id.
LABEL_LENT = "clauderon.lent"
# Facts of the database about containers that only help for a moment, by the session they are for.
HELPER_FACT = "probe:"

# The page's shared volumes, and where a session finds each.
SHARED_VOLUMES: Mapping[str, str] = {
    "clauderon-cargo-registry": f"{paths.CONTAINER_CARGO_HOME}/registry",
    "clauderon-cargo-git": f"{paths.CONTAINER_CARGO_HOME}/git",
    "clauderon-sccache": paths.CONTAINER_SCCACHE,
}
SHARED_VOLUME_PURPOSE: Mapping[str, str] = {
    "clauderon-cargo-registry": "Cargo package cache",
    "clauderon-cargo-git": "Git dependencies",
    "clauderon-sccache": "Rust compilation cache",
}


def engine_needs(image_reference: str, network: str) -> list[str]:
    """What a container needs to find on the engine, in the one order in which it is asked for.

    network: "" for one that cannot be there yet.
    """
    return [image_reference, *((network,) if network else ()), *SHARED_VOLUMES]


def image(reference: str) -> str:
    """`reference` itself if Docker could take it as an image. Raises UsageError."""
    why = grammar.image_problem(reference)
    if why is None:
        return reference
    what = f"--image {ascii(reference)[1:-1]}".rstrip()
    raise UsageError(what, why, hint="clauderon create --image rust:1.85 ...")


def user(setting: str, *, uid: int, gid: int) -> str:
    """`--user` for Docker: "host" is ours, "image" is none of ours (""), else UID:GID. Raises UsageError."""
    if setting == "host":
        return f"{uid}:{gid}"
    if setting == "image":
        return ""
    if re.fullmatch(grammar.USER, setting):
        return setting if ":" in setting else f"{setting}:{setting}"
    raise UsageError(
        f"[docker] user {setting!r}", 'use "host", "image" or "UID:GID"', hint="clauderon config show"
    )


def environment(items: Iterable[str], environ: Mapping[str, str]) -> dict[str, str]:
    """`--env K=V` and `--env K` (the value from our own environment) as a mapping. Raises UsageError."""
    found: dict[str, str] = {}
    for item in items:
        name, separator, value = item.partition("=")
        if not re.fullmatch(grammar.CONTAINER_VARIABLE, name):
            raise UsageError(f"--env {item!a}", "not NAME=VALUE", hint="clauderon create --env DEBUG=1 ...")
        if not separator:
            if name not in environ:
                raise UsageError(f"--env {name}", "not set in the environment", hint=f"export {name}=...")
            value = environ[name]
        if "\0" in value:
            raise UsageError(f"--env {name}", "the value contains a NUL byte")
        found[name] = value
    return found


def hosts(patterns: Iterable[str], *, what: str) -> tuple[str, ...]:
    """The entries of an allow list, in their usual form, as config.toml takes them. Raises UsageError."""
    found = []
    for pattern in patterns:
        try:
            found.append(grammar.destination(pattern))
        except ValueError as error:
            hint = f"clauderon create {what} '*.example.com' ...   # or a host, with :PORT or without"
            raise UsageError(f"{what} {pattern!a}", str(error), hint=hint) from error
    return tuple(found)


def rules(texts: Iterable[str]) -> tuple[str, ...]:
    """The rules of `--rule`, in their usual form. Raises UsageError."""
    from clauderon import netrules  # few sessions have any

    found = []
    for text in texts:
        try:
            found.append(netrules.parse(text).text())
        except ValueError as error:
            hint = "clauderon create --rule 'allow GET,POST api.example.com /v1/**' ..."
            raise UsageError(f"--rule {text!a}", str(error), hint=hint) from error
    return tuple(found)


class ContainerSpec(NamedTuple):
    """Everything `docker run` is told; `docker.container_run_argv` spells it."""

    name: str
    image: str
    command: tuple[str, ...]
    hostname: str = ""
    workdir: str = paths.WORKSPACE
    user: str = ""
    network: str = ""
    ip: str = ""
    add_hosts: Mapping[str, str] = NOTHING
    dns: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    env: Mapping[str, str] = NOTHING
    labels: Mapping[str, str] = NOTHING
    cpus: str = ""
    memory: str = ""
    pids: int = 0
    ulimits: Mapping[str, int] = NOTHING
    log_max_mib: int = 0
    disk: int = 0
    tty: bool = True
    volumes: tuple[str, ...] = ()
    publish: tuple[str, ...] = ()
    extra_args: tuple[str, ...] = ()


def labels(session: Session, home: paths.Home) -> dict[str, str]:
    """The labels that let `reconcile` and `delete` finish without the database."""
    marked = {LABEL_UNSAFE: str(len(session.unsafe))} if session.unsafe else {}
    return {
        LABEL_SESSION: session.name,
        LABEL_ID: session.id,
        LABEL_HOME: str(home.root),
        LABEL_SCHEMA: SCHEMA,
        **marked,
        **({LABEL_GROUP: session.group} if session.group else {}),
        LABEL_SPEC: session.to_json(),
    }


def hooks_inside(session: Session) -> str:
    """Where the person's hooks are in the container: the page's place, unless the repository has its own there."""
    return paths.CONTAINER_HOOKS if ".clauderon/hooks" in session.tracks else paths.HOOKS


def proxy_env(port: int) -> dict[str, str]:
    """The proxy variables of the page, and those without which real tools go round it.

    The empty ones keep the proxies of the user's `~/.docker/config.json` out of the container.
    """
    url = f"http://host.docker.internal:{port}"
    return {
        "HTTP_PROXY": url,
        "HTTPS_PROXY": url,
        "http_proxy": url,  # curl ignores HTTP_PROXY in upper case (CVE-2016-5385)
        "https_proxy": url,
        "NO_PROXY": "localhost,127.0.0.1,::1",
        "no_proxy": "localhost,127.0.0.1,::1",
        "ALL_PROXY": "",
        "all_proxy": "",
        "FTP_PROXY": "",
        "ftp_proxy": "",
        "NODE_USE_ENV_PROXY": "1",
    }


def session_env(session: Session) -> dict[str, str]:
    """The variables that tell a program in the container which session it is in."""
    return {
        "CLAUDERON_SESSION_ID": session.id,
        "CLAUDERON_SESSION_NAME": session.name,
        "CLAUDERON_SESSION_BACKEND": session.backend,
        "CLAUDERON_SESSION_AGENT": session.agent,
        "CLAUDERON_SESSION_ACCESS_MODE": session.access_mode,
    }


# Every name that `host_variables` gives a value, for `clauderon env --unset`.
HOST_VARIABLES = tuple(
    f"CLAUDERON_SESSION_{word}"
    for word in (
        *("ID", "NAME", "BACKEND", "AGENT", "ACCESS_MODE"),
        *("WORKTREE", "REPO", "BRANCH", "BASE", "IMAGE", "CONTAINER", "PORT"),
    )
)


def host_variables(session: Session, home: paths.Home) -> dict[str, str]:
    """The variables of `clauderon env NAME`; those that a container has too are the same there."""
    return {
        **session_env(session),
        "CLAUDERON_SESSION_WORKTREE": str(home.worktree(session.name)),
        "CLAUDERON_SESSION_REPO": session.repo,
        "CLAUDERON_SESSION_BRANCH": session.branch,
        "CLAUDERON_SESSION_BASE": session.base,
        "CLAUDERON_SESSION_IMAGE": session.image,
        "CLAUDERON_SESSION_CONTAINER": names.container(session.name),
        "CLAUDERON_SESSION_PORT": str(session.port),
    }


def container(
    session: Session,
    home: paths.Home,
    *,
    network: str,
    gateway: str,
    mounts: Iterable[Mount],
    env: Mapping[str, str],
    shared: tuple[Mount, ...] = (),
    dns: tuple[str, ...] = (),
) -> ContainerSpec:
    """The container of a session.

    gateway: what `host.docker.internal` resolves to, an address or `host-gateway`.
    mounts, env: from the airlock and the agent; the proxy's, the session's and the user's own are added here,
    the user's last, so that they win over all but the proxy's.
    shared: of the cache volumes.
    """
    environment = {**env, **session.env, **proxy_env(session.port), **session_env(session)}
    return ContainerSpec(
        name=names.container(session.name),
        image=session.image,
        command=("sh", f"{paths.CONTAINER_SESSION}/start"),
        hostname=names.hostname(session.name),
        user=session.user,
        network=network,
        ip=session.ip,
        add_hosts={"host.docker.internal": gateway},
        dns=dns,
        mounts=(*mounts, *shared),
        env=environment,
        labels=labels(session, home),
        cpus=session.cpus,
        memory=session.memory,
        pids=session.pids,
        ulimits=session.ulimits,
        log_max_mib=session.log_max_mib,
        disk=session.disk,
        tty=not session.print_mode,
        volumes=session.volumes,
        publish=session.publish,
        extra_args=session.extra_args,
    )
