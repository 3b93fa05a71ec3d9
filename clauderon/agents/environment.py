"""The environment an agent needs in its container, with placeholders where a credential would be. Pure."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from clauderon import paths
from clauderon.agents import registry, trust
from clauderon.agents.image import ImageFacts
from clauderon.config.schema import Agent
from clauderon.record import Session

# Made to be seen through by a person, and to have the shape the agents check.
PLACEHOLDERS: Mapping[str, str] = {
    "anthropic": "sk-ant-api03-clauderon-placeholder-the-proxy-has-the-real-key",
    "anthropic-oauth": "sk-ant-oat01-clauderon-placeholder-the-proxy-has-the-real-token",
    "openai": "sk-clauderon-placeholder-the-proxy-has-the-real-key",
    "google": "AIza-clauderon-placeholder-proxy-has-real-key",
    "github": "ghp_clauderonPlaceholderTheProxyHasTheReal",
}
_VARIABLES: Mapping[str, tuple[str, ...]] = {
    "anthropic": ("ANTHROPIC_API_KEY",),
    "anthropic-oauth": ("CLAUDE_CODE_OAUTH_TOKEN",),
    "openai": ("OPENAI_API_KEY", "CODEX_API_KEY"),
    "google": ("GEMINI_API_KEY",),
    "github": ("GH_TOKEN",),
}
# No questions to the vendor but those to the model, and no updates of a binary that is mounted read-only.
_QUIET_CLAUDE = (
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
    "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL",
    "DISABLE_AUTOUPDATER",
    "DISABLE_INSTALLATION_CHECKS",
)
# A name of the zone database, or a rule as POSIX has it (CET-1CEST,M3.5.0,M10.5.0/3).
_ZONE = re.compile(r"[A-Za-z<][A-Za-z0-9_+<>,.:/-]{0,99}")
_UTC = frozenset(
    {"UTC", "Etc/UTC", "Etc/UCT", "UCT", "GMT", "Etc/GMT", "Universal", "Etc/Universal", "Zulu", "Etc/Zulu"}
)
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def anthropic_kind(agent: Agent, credential_kind: str | None) -> str:
    """Which placeholder Claude Code gets, "" for another agent.

    credential_kind: `api-key`, `oauth` or None. The kinds send different headers and show their user a different
    plan, so the placeholder has to be of the kind of the real one.
    """
    if agent.name != "claude" or registry.builtin(agent) is None:
        return ""
    return "anthropic-oauth" if credential_kind == "oauth" else "anthropic"


def environment(
    session: Session,
    agent: Agent,
    facts: ImageFacts,
    *,
    mounted: bool,
    kind: str,
    uid: int | None,
    sccache: str,
    credentials: Collection[str],
    zone: str = "",
) -> dict[str, str]:
    """Variables beside the proxy's, the session's and the user's own, which `spec` lays over these.

    mounted: the agent comes from the host; kind: of `anthropic_kind`; uid: who the container runs as.
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
    env |= _placeholders(agent, kind, credentials)
    if kind:
        env |= dict.fromkeys(_QUIET_CLAUDE, "1")
        # Claude Code refuses to skip permissions as root, unless it is told that it sits in a sandbox.
        if not uid:
            env["IS_SANDBOX"] = "1"
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


def _placeholders(agent: Agent, kind: str, credentials: Collection[str]) -> dict[str, str]:
    own = agent.credentials if registry.builtin(agent) is not None else ()
    # Of the two Anthropic ones only `kind`: with both set Claude Code complains.
    names = [name for name in (*own, *credentials) if not name.startswith("anthropic")]
    env: dict[str, str] = {}
    for name in (kind, *names):
        env |= dict.fromkeys(_VARIABLES.get(name, ()), PLACEHOLDERS.get(name, ""))
    return env
