"""The configuration as named tuples. Types and defaults only; reading the file is `config.load`.

Every field's name is its key in `config.toml`; the key's check, its variable and a sentence about it are
in `keys`. "Not configured" is None, "configured empty" is an empty tuple. A frozen dataclass would cost every
command five times as much to define.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from clauderon.choices import NetworkMode, PullPolicy, SharedCaches
from clauderon.known.rows import NOTHING as NOTHING
from clauderon.known.rows import Agent as Agent
from clauderon.known.rows import Credential as Credential


class General(NamedTuple):
    """`[general]`. credentials: the names of those that sessions are lent, None for all."""

    default_agent: str = "claude"
    credentials: tuple[str, ...] | None = None


class Limits(NamedTuple):
    """`cpu`, `memory`, `fsize` and `core` as typed by the person, empty for no limit; `limits` converts them."""

    cpu: str = ""
    memory: str = ""
    pids: int = 4096
    nofile: int = 16384
    fsize: str = "16g"
    core: str = "0"


class Docker(NamedTuple):
    """`[docker]`."""

    command: str = "docker"
    context: str = ""
    default_image: str = "ghcr.io/anthropics/claude-code:latest"
    pull_policy: PullPolicy = "if-not-present"
    user: str = "host"
    network: str = "clauderon"
    extra_args: tuple[str, ...] = ()
    unsafe: bool = False
    log_max_mib: int = 64
    shared_caches: SharedCaches = "verified"
    limits: Limits = Limits()


class Proxy(NamedTuple):
    """connect_to: `host:port` to `host:port`, dialled instead; Host, SNI and verification keep the name."""

    port: int = 3030
    session_ports: str = "3100-3999"
    upstream_ca: str = ""
    upstream_proxy: str = ""
    connect_to: Mapping[str, str] = NOTHING
    passthrough: tuple[str, ...] = ()
    audit_max_mib: int = 64
    audit_keep: int = 4

    @property
    def session_port_range(self) -> range:
        """`session_ports` as a range."""
        first, last = self.session_ports.split("-")
        return range(int(first), int(last) + 1)


class Network(NamedTuple):
    """`[network]`. rules: as `netrules` writes them, the first that is about a request decides."""

    mode: NetworkMode = "open"
    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()


class Git(NamedTuple):
    """trusted_filters: names of the user's own filters and merge drivers that run where a branch is merged.

    push: refs that sessions may push to beside their own branch, with a credential that is lent for their repositories.
    refuse_autorun: whether `merge` refuses what runs by itself in a checkout, instead of saying it.
    """

    trusted_filters: tuple[str, ...] = ()
    push: tuple[str, ...] = ()
    refuse_autorun: bool = False


class SessionLimits(NamedTuple):
    """disk: as typed by the person; empty for no limit, with a warning all the same (`session.disk`).

    session_budget, daily_budget, group_budget: US dollars as typed; empty for no limit.
    """

    disk: str = ""
    session_budget: str = ""
    daily_budget: str = ""
    group_budget: str = ""


class ModelPrice(NamedTuple):
    """What a model of this name costs, in US dollars for a million tokens. A name that ends in `*` is a beginning."""

    name: str
    input: float | None = None
    output: float | None = None
    cache_read: float | None = None
    cache_write: float | None = None
    cache_write_1h: float | None = None


class Hooks(NamedTuple):
    """`[hooks]`: shell commands. on_create is a part of `create`; the others are told of what happened."""

    on_create: str = ""
    on_start: str = ""
    on_waiting: str = ""
    on_done: str = ""
    on_failed: str = ""
    on_budget: str = ""
    on_stop: str = ""
    on_delete: str = ""


class Notify(NamedTuple):
    """`[notify]`."""

    desktop: bool = False


class Config(NamedTuple):
    """The merged configuration. `origins` says of each dotted key where its value came from.

    An origin is `file` or `env NAME`; a key that is not in `origins` has its default. A flag never reaches
    this object (`spec` merges flags). Paths are absolute, host names in lower case without a dot at the end.
    """

    general: General = General()
    docker: Docker = Docker()
    agents: Mapping[str, Agent] = NOTHING
    proxy: Proxy = Proxy()
    credentials: Mapping[str, Credential] = NOTHING
    network: Network = Network()
    git: Git = Git()
    limits: SessionLimits = SessionLimits()
    prices: Mapping[str, ModelPrice] = NOTHING
    hooks: Hooks = Hooks()
    notify: Notify = Notify()
    origins: Mapping[str, str] = NOTHING
