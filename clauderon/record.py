"""One session as it is recorded: in a row of the database, and in a label of its container. Touches no file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

# creating, refreshing and deleting are intents: `step` says how far they came.
State = Literal["creating", "running", "refreshing", "deleting"]

_NOTHING: Mapping[str, Any] = {}
# Fields that are left out while they are as usual, as in the records of versions that do not know them.
_LATER = frozenset({"group", "remotes", "rules", "credentials", "no_credentials"})


class Session(NamedTuple):
    """One session, as recorded. Times are seconds since the epoch; paths are absolute.

    Everything `refresh` needs to make the same container again is here: image *name*, limits, mounts, prompt
    (in the session directory), access mode, network, ports.
    ip: the container's address on its network, chosen by us so that the proxy knows it before the start.
    remotes: the repositories that the remotes name, as `proxy.policy.repositories` writes them; read on the host.
    rules: finer than a host, in the form of `netrules.joined`.
    tracks: which of `.claude.json`, `.clauderon`, `.clauderon/hooks` the repository has; they are not covered.
    ulimits: what `--ulimit` is told, by docker's names. disk: bytes, 0 for no limit.
    unsafe: what of it undoes which protection, in sentences; it was asked for aloud.
    conversation: the agent's own session id (a UUID), the same one at every restart.
    credentials: the names of those it is lent, None for all that the configuration lends; no_credentials: not these.
    group: the sessions that share a budget with it have the same; empty for none.
    """

    id: str
    name: str
    state: State
    step: str
    port: int
    repo: str
    git_dir: str
    branch: str
    base: str
    agent: str
    image: str
    created_at: float
    updated_at: float
    ip: str = ""
    backend: str = "docker"
    access_mode: str = "read-write"
    network: str = "open"
    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] = ()
    archived: bool = False
    idempotency: str | None = None
    conversation: str = ""
    print_mode: bool = False
    plan: bool = False
    pull_policy: str = "if-not-present"
    cpus: str = ""
    memory: str = ""
    pids: int = 4096
    ulimits: Mapping[str, int] = _NOTHING
    log_max_mib: int = 64
    disk: int = 0
    user: str = ""
    env: Mapping[str, str] = _NOTHING
    volumes: tuple[str, ...] = ()
    publish: tuple[str, ...] = ()
    extra_args: tuple[str, ...] = ()
    tracks: tuple[str, ...] = ()
    agent_args: tuple[str, ...] = ()
    budget: str = ""
    timeout_s: float | None = None
    exit_status: int | None = None
    unsafe: tuple[str, ...] = ()
    timed_out: bool = False
    group: str = ""
    remotes: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    credentials: tuple[str, ...] | None = None
    no_credentials: tuple[str, ...] = ()

    def changed(self, **changes: Any) -> Session:
        """A copy with these fields changed."""
        return self._replace(**changes)

    def to_json(self) -> str:
        """The whole record, for the `clauderon.spec` label; holds no secret."""
        # The defaults of mappings are read-only views, which json does not know.
        plain = {"env": dict(self.env), "ulimits": dict(self.ulimits)}
        usual = self._field_defaults
        fields = {
            key: value
            for key, value in self._asdict().items()
            if key not in _LATER or value != usual[key]  # an empty list of credentials is not all of them
        }
        return json.dumps({**fields, **plain}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Session:
        """Read `to_json` of this or an older version. Raises ValueError for anything else."""
        try:
            data = json.loads(text)
        except RecursionError as error:  # of a label, which anybody may write who may use docker
            raise ValueError("nested too deeply") from error
        if not isinstance(data, dict):
            raise ValueError("not a session record")
        values = {key: value for key, value in data.items() if key in cls._fields}
        for key in (
            "deny",
            "volumes",
            "publish",
            "extra_args",
            "agent_args",
            "tracks",
            "unsafe",
            "remotes",
            "rules",
            "no_credentials",
        ):
            values[key] = tuple(values.get(key, ()))
        for key in ("allow", "credentials"):
            if values.get(key) is not None:
                values[key] = tuple(values[key])
        try:
            return cls(**values)
        except TypeError as error:
            raise ValueError(f"not a session record: {error}") from error
