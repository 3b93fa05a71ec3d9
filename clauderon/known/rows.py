"""An agent and a credential, as a table of `config.toml` has them. Types and defaults only.

Every field's name is its key there, as in `config.schema`; the files of `known.agents` are filled in from the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from clauderon.choices import FetchScope, LendingScope

# The default of every mapping; typed so that nobody writes to it.
NOTHING: Mapping[str, Any] = {}


class Agent(NamedTuple):
    """One agent. Built-in agents leave `command` empty and are launched by `agents`.

    command, print_command: argv templates; `{prompt_file}` and `{conversation}` (a UUID of the session's) are
        replaced, in resume_command too.
    path: a program on the host to mount instead of a download.
    npm: a package to fetch with what it depends on, in place of what the agent's file says.
    version: `latest`, `stable` or an exact version.
    credentials: names from `Config.credentials`, of which this agent needs one to reach its model.
    """

    name: str
    path: str = ""
    npm: str = ""
    version: str = "latest"
    permission_mode: str = "bypassPermissions"
    command: tuple[str, ...] = ()
    print_command: tuple[str, ...] = ()
    resume_command: tuple[str, ...] = ()
    env: Mapping[str, str] = NOTHING
    credentials: tuple[str, ...] = ()


class Credential(NamedTuple):
    """A secret's source and the hosts it belongs to; never the secret itself.

    hosts: exact names, or `*.example.com` for any name below it; on port 443, or on the `:port` that is named.
    header, format: what is injected; `{secret}` is replaced, `{basic}` by base64 of `basic_user:secret`.
    env, command, file, login: where the secret comes from, in that order; file is relative to `secrets/`.
    env: names of variables; the first that is not empty is used. command: argv, no shell.
    model_api: these hosts serve a model: read-only sessions may POST to them, and a request without a
        secret is refused with a hint instead of being passed on.
    git: these hosts serve git over HTTPS: read-only sessions may fetch, and ssh URLs become https inside. None: as
        `serves_git` finds.
    websocket: requests with the secret may become WebSockets.
    scope: `session` lends it for reading, and for work on the session's own repositories; `any` for everything.
    repositories: paths of more of them on these hosts; where there are some, `scope` is `session`.
    fetch: `remotes` narrows reading to these repositories too. mutations: of GraphQL, that may pass all the same.
    login: the login that this client keeps on the host (`proxy.logins`); empty for none.
    headers: more headers to set, by name; `{secret}` is replaced, and `{account}` by what the login names beside it.
    paths: only requests below one of these get it; empty for all.
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
    git: bool | None = None
    websocket: bool = False
    scope: LendingScope | None = None
    repositories: tuple[str, ...] = ()
    fetch: FetchScope = "any"
    mutations: tuple[str, ...] = ()
    login: str = ""
    headers: Mapping[str, str] = NOTHING
    paths: tuple[str, ...] = ()

    @property
    def is_scoped(self) -> bool:
        """Whether it is lent for the session's own repositories; as configured, else where some are named."""
        return self.scope == "session" or (self.scope is None and bool(self.repositories))

    @property
    def serves_git(self) -> bool:
        """As configured; else by the format, since git's servers take Basic."""
        return "{basic}" in self.format if self.git is None else self.git
