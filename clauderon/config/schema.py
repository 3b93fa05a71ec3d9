"""The configuration as frozen dataclasses. Types and defaults only; reading the file is `config.load`.

Every field's name is its key in `config.toml`; what each takes is in `keys`. "Not configured" is None,
"configured empty" is an empty tuple.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

PullPolicy = Literal["always", "if-not-present", "never"]
NetworkMode = Literal["open", "proxied"]
AccessMode = Literal["read-write", "read-only"]


@dataclass(frozen=True, slots=True)
class General:
    default_agent: str = "claude"


@dataclass(frozen=True, slots=True)
class Limits:
    """`cpu` and `memory` as typed by the person, empty for no limit; `spec` checks and converts them."""

    cpu: str = ""
    memory: str = ""
    pids: int = 4096


@dataclass(frozen=True, slots=True)
class Docker:
    command: str = "docker"
    context: str = ""
    default_image: str = "ghcr.io/anthropics/claude-code:latest"
    pull_policy: PullPolicy = "if-not-present"
    user: str = "host"
    network: str = "clauderon"
    extra_args: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent. Built-in agents leave `command` empty and are launched by `agents`.

    command, print_command: argv templates; `{prompt_file}` is replaced.
    path: a binary on the host to mount instead of a download.
    version: `latest`, `stable` or an exact version.
    npm: the npm package that carries the binary, for an agent of the user's own; empty for none.
    credentials: names from `Config.credentials`, of which this agent needs one to reach its model.
    """

    name: str
    path: str = ""
    version: str = "latest"
    permission_mode: str = "bypassPermissions"
    command: tuple[str, ...] = ()
    print_command: tuple[str, ...] = ()
    resume_command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    npm: str = ""
    credentials: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proxy:
    """connect_to: `host:port` to `host:port`, dialled instead; Host, SNI and verification keep the name."""

    port: int = 3030
    session_ports: str = "3100-3999"
    upstream_ca: str = ""
    upstream_proxy: str = ""
    connect_to: Mapping[str, str] = field(default_factory=dict)
    passthrough: tuple[str, ...] = ()
    audit_max_mib: int = 64
    audit_keep: int = 4

    @property
    def session_port_range(self) -> range:
        first, last = self.session_ports.split("-")
        return range(int(first), int(last) + 1)


@dataclass(frozen=True, slots=True)
class Credential:
    """A secret's source and the hosts it belongs to; never the secret itself.

    hosts: exact names, or `*.example.com` for any name below it.
    header, format: what is injected; `{secret}` is replaced, `{basic}` by base64 of `basic_user:secret`.
    env, command, file: where the secret comes from, in that order; file is relative to `secrets/`.
    env: names of variables, the first that is set to something counts; command: argv, no shell.
    model_api: these hosts serve a model: read-only sessions may send them anything, and a request without a
        secret is refused with a hint instead of being passed on.
    """

    name: str
    hosts: tuple[str, ...] = ()
    header: str = "authorization"
    format: str = "Bearer {secret}"
    basic_user: str = ""
    env: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    file: str = ""
    model_api: bool = False


@dataclass(frozen=True, slots=True)
class Network:
    mode: NetworkMode = "open"
    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hooks:
    on_create: str = ""


@dataclass(frozen=True, slots=True)
class Config:
    """The merged configuration. `origins` says of each dotted key where its value came from.

    An origin is `file` or `env NAME`; a key that is not in `origins` has its default. A flag never reaches
    this object (`spec` merges flags). Paths are absolute, host names in lower case without a dot at the end.
    """

    general: General = field(default_factory=General)
    docker: Docker = field(default_factory=Docker)
    agents: Mapping[str, Agent] = field(default_factory=dict)
    proxy: Proxy = field(default_factory=Proxy)
    credentials: Mapping[str, Credential] = field(default_factory=dict)
    network: Network = field(default_factory=Network)
    hooks: Hooks = field(default_factory=Hooks)
    origins: Mapping[str, str] = field(default_factory=dict)
