"""Which credentials exist and of what kind, for the placeholders in the container; never a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clauderon.agents import registry
from clauderon.config.schema import Agent
from clauderon.proxy import service
from clauderon.proxy.secrets import credentials
from clauderon.session.context import Context


def _held(context: Context) -> Mapping[str, str]:
    """Name to origin of what a running proxy holds in memory, from the environment of an earlier command."""
    return service.held(context.home)


def anthropic_kind(context: Context) -> str:
    """`api-key`, `oauth`, or "" when there is none: agents behave by the kind of their placeholder."""
    return credentials.kind(context.config, context.home, context.environ, _held(context))


def supplied(context: Context) -> tuple[str, ...]:
    """The names of the credentials that have a secret."""
    rows = credentials.describe(context.config, context.home, context.environ, _held(context))
    return tuple(row.name for row in rows if row.set)


def logins(context: Context) -> Mapping[str, Mapping[str, Any]]:
    """By credential, the plan of each login of the host's that is lent."""
    return credentials.lent_logins(context.config, context.home, context.environ, _held(context))


def https_hosts(context: Context) -> tuple[str, ...]:
    """The hosts, with `:port` or without, whose git URLs go over https inside, since a credential is there."""
    names = supplied(context)
    found = [c for c in context.config.credentials.values() if c.name in names and c.serves_git]
    # git takes no patterns here, and an IPv6 address is not written as a name in ssh URLs.
    return tuple(
        host.removesuffix(":443")
        for credential in found
        for host in credential.hosts
        if "*" not in host and host.count(":") < 2
    )


def missing(context: Context, agent: Agent) -> str:
    """A warning for an agent whose credential nobody supplies, or "" if all is well."""
    known = registry.builtin(agent)
    wanted = agent.credentials or (known.credentials if known else ())
    if known is None or not wanted or set(wanted) & set(supplied(context)):
        return ""
    table = context.config.credentials
    hint = credentials.hint(*(table[name] for name in wanted))
    return f"no credential for {registry.title(agent)}, so its requests will be refused (401); {hint}"
