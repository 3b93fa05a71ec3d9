"""The environment an agent needs in its container, with placeholders where a credential would be. Pure."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from clauderon import paths
from clauderon.agents import registry, trust
from clauderon.agents.image import ImageFacts
from clauderon.config.builtin_credentials import LENT
from clauderon.config.schema import Agent
from clauderon.known.table import AGENTS
from clauderon.record import Session

# A name of the zone database, or a rule as POSIX has it (CET-1CEST,M3.5.0,M10.5.0/3).
_ZONE = re.compile(r"[A-Za-z<][A-Za-z0-9_+<>,.:/-]{0,99}")
_UTC = frozenset(
    {"UTC", "Etc/UTC", "Etc/UCT", "UCT", "GMT", "Etc/GMT", "Universal", "Etc/Universal", "Zulu", "Etc/Zulu"}
)
# Of these an agent gets the one that it says itself (`Known.either`), or none.
_EITHER = frozenset(name for known in AGENTS.values() for name in known.either.values())
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def lent_kind(agent: Agent, credential_kind: str | None) -> str:
    """Of the agent's credentials for the same hosts, the one whose placeholder it gets; "" where it has no such.

    credential_kind: `api-key`, `oauth` or None: the placeholder has to be of the kind of the real one.
    """
    known = registry.builtin(agent)
    if known is None or not known.either:
        return ""
    return known.either.get(credential_kind or "", next(iter(known.either.values())))


def lent_login(
    agent: Agent, credentials: Collection[str], logins: Mapping[str, Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    """The plan, if the first of the agent's credentials that is set is a login: it gets files, and no variables.

    credentials: names of those that are set. logins: by name, the plans of those that are a login's.
    """
    known = registry.builtin(agent)
    names = (agent.credentials or known.credentials) if known is not None else ()
    return logins.get(next((name for name in names if name in credentials), ""))


def environment(
    session: Session,
    agent: Agent,
    facts: ImageFacts,
    *,
    mounted: bool,
    kind: str,
    login: bool,
    uid: int | None,
    sccache: str,
    credentials: Collection[str],
    zone: str = "",
) -> dict[str, str]:
    """Variables beside the proxy's, the session's and the user's own, which `spec` lays over these.

    mounted: the agent comes from the host; kind, login: of `lent_kind` and `lent_login`; uid: who it runs as.
    sccache: where sccache may write, "" for the session's home.
    credentials: names of further credentials the proxy can lend. zone: as from `zone`.
    """
    home = paths.CONTAINER_HOME
    path = facts.path or _DEFAULT_PATH
    if mounted:
        path = f"{paths.CONTAINER_AGENT}/bin:{paths.CONTAINER_AGENT}:{path}"
    env = {
        "HOME": home,
        "PATH": f"{path}:{home}/.local/bin:{home}/.cargo/bin",
        "CARGO_HOME": f"{home}/.cargo",
        # start.sh says why; Docker's init reads it.
        "TINI_KILL_PROCESS_GROUP": "1",
        **trust.trust_env(session.port),
    }
    if not facts.lang:
        env["LANG"] = "C.UTF-8"
    if zone:
        env["TZ"] = zone
    if not session.print_mode:
        env |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    if uid is not None:
        env["SCCACHE_DIR"] = f"{sccache}/{uid}" if sccache else f"{home}/.cache/sccache"
        if facts.has("sccache"):
            env["RUSTC_WRAPPER"] = "sccache"
    env |= _placeholders(agent, "" if login else kind, credentials, login)
    known = registry.builtin(agent)
    if known is not None:
        env |= known.environment(uid)
    return {**env, **agent.env}


def zone(environ: Mapping[str, str], localtime: Path = Path("/etc/localtime")) -> str:
    """The person's time zone by its name: TZ, else what /etc/localtime is a link to. Empty for UTC, which the container
    has anyway, and for a zone without a name, such as a file of the person's own.
    """
    name = environ.get("TZ", "").removeprefix(":")
    if not name:
        with contextlib.suppress(OSError):
            name = os.readlink(localtime)  # noqa: PTH115 - as it is written, not as it is resolved
    name = name.rpartition("zoneinfo/")[2]
    return name if _ZONE.fullmatch(name) and name not in _UTC else ""


def _placeholders(agent: Agent, kind: str, credentials: Collection[str], login: bool) -> dict[str, str]:
    known = registry.builtin(agent)
    own = [name for name in agent.credentials if known is not None and name not in known.either.values()]
    # An agent that can work with several takes each placeholder for a provider that it has.
    own = [] if login else [name for name in own if name in credentials] or own[:1]
    # Of those of which one excludes the other only `kind`, or none.
    others = [name for name in credentials if name not in _EITHER]
    env: dict[str, str] = {}
    for name in (kind, *own, *others):
        if name in LENT:
            env |= dict.fromkeys(LENT[name].variables, LENT[name].placeholder)
    return env
