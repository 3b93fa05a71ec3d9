"""Which credentials exist and of what kind, for the placeholders in the container; never a value."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from clauderon.agents import registry
from clauderon.config import lent
from clauderon.config.schema import Agent
from clauderon.proxy import service
from clauderon.proxy.secrets import credentials
from clauderon.record import Session
from clauderon.session.context import Context


def _held(context: Context) -> Mapping[str, str]:
    """Name to origin of what a running proxy holds in memory, from the environment of an earlier command."""
    return service.held(context.home)


def lent_to(context: Context, session: Session) -> Collection[str]:
    """The names of the credentials that the session is lent, whether or not they have a secret."""
    only = context.config.general.credentials if session.credentials is None else session.credentials
    return lent.names(context.config.credentials, only, session.no_credentials)


def anthropic_kind(context: Context, session: Session) -> str:
    """`api-key`, `oauth`, or "" when it is lent none: agents behave by the kind of their placeholder."""
    held = _held(context)
    return credentials.kind(context.config, context.home, context.environ, held, lent_to(context, session))


def all_supplied(context: Context) -> tuple[str, ...]:
    """The names of the credentials that have a secret."""
    rows = credentials.describe(context.config, context.home, context.environ, _held(context))
    return tuple(row.name for row in rows if row.set)


def supplied(context: Context, session: Session) -> tuple[str, ...]:
    """Of those, the ones that the session is lent."""
    names = lent_to(context, session)
    return tuple(name for name in all_supplied(context) if name in names)


def logins(context: Context, session: Session) -> Mapping[str, Mapping[str, Any]]:
    """By credential, the plan of each login of the host's that the session is lent."""
    found = credentials.lent_logins(context.config, context.home, context.environ, _held(context))
    names = lent_to(context, session)
    return {name: plan for name, plan in found.items() if name in names}


def https_hosts(context: Context, session: Session) -> tuple[str, ...]:
    """The hosts, with `:port` or without, whose git URLs go over https inside, since a credential is there."""
    names = supplied(context, session)
    found = [c for c in context.config.credentials.values() if c.name in names and c.serves_git]
    # git takes no patterns here, and an IPv6 address is not written as a name in ssh URLs.
    return tuple(
        host.removesuffix(":443")
        for credential in found
        for host in credential.hosts
        if "*" not in host and host.count(":") < 2
    )


def missing(context: Context, agent: Agent, session: Session) -> str:
    """A warning for an agent whose credential nobody supplies or lends it, or "" if all is well."""
    known = registry.builtin(agent)
    wanted = agent.credentials or (known.credentials if known else ())
    if known is None or not wanted or set(wanted) & set(supplied(context, session)):
        return ""
    given = lent_to(context, session)
    table = context.config.credentials
    lacking = [table[name] for name in wanted if name in given]
    if not lacking:
        why = "is not lent the credential that it works with"
        hint = f"clauderon create --credential {wanted[0]} ..."
        return f"{registry.title(agent)} {why}, so its requests will be refused (401); {hint}"
    hint = credentials.hint(*lacking)
    return f"no credential for {registry.title(agent)}, so its requests will be refused (401); {hint}"
