"""Refuses a configuration that is wrong only together with another of its keys. Reads nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from clauderon.config.builtin_agents import BUILTIN_AGENTS
from clauderon.config.schema import Agent, Config
from clauderon.errors import UsageError


class Source(Protocol):
    """The file that was read."""

    def refuse(self, keys: tuple[str, ...], why: str) -> UsageError:
        """The error for a key, with its line."""


def check_whole(config: Config, source: Source) -> None:
    """Raises UsageError, with the place in the file or the variable."""
    if not config.origins:
        return

    def refuse(section: str, key: str, why: str) -> UsageError:
        origin = config.origins.get(f"{section}.{key}", "file")
        if origin.startswith("env "):
            return UsageError(origin[4:], why, hint=f"unset {origin[4:]}")
        return source.refuse((*section.split("."), key), f"{section}.{key}: {why}")

    if config.general.default_agent not in config.agents:
        from clauderon.config.mistakes import not_one_of

        raise refuse("general", "default_agent", not_one_of(config.general.default_agent, config.agents))
    if config.proxy.port in config.proxy.session_port_range:
        key = "session_ports" if "proxy.session_ports" in config.origins else "port"
        raise refuse(
            "proxy", key, f"port {config.proxy.port} is the proxy's own and in session_ports as well"
        )
    for agent in config.agents.values():
        if agent.name not in BUILTIN_AGENTS and not agent.command:
            raise refuse(f"agents.{agent.name}", "command", "an agent of your own needs one")
        if agent.command:
            plain = Agent(name=agent.name)
            if agent.permission_mode != plain.permission_mode:
                why = "has no effect on an agent that has a `command`"
                raise refuse(f"agents.{agent.name}", "permission_mode", why)
            if agent.version != plain.version and not agent.npm:
                why = "has no effect on an agent that has a `command` and no `npm`, the package that it is of"
                raise refuse(f"agents.{agent.name}", "version", why)
        for name in agent.credentials:
            if name not in config.credentials:
                from clauderon.config.mistakes import not_one_of

                raise refuse(f"agents.{agent.name}", "credentials", not_one_of(name, config.credentials))
    for price in config.prices.values():
        for key in ("input", "output"):
            if getattr(price, key) is None:
                raise source.refuse(("prices", price.name, key), f"a price needs {key}")
    _check_credentials(config, refuse)
    _check_rules(config, refuse)


def _check_rules(config: Config, refuse: Callable[[str, str, str], UsageError]) -> None:
    if not config.network.rules:
        return
    from clauderon import netrules

    for rule in map(netrules.parse, config.network.rules):
        if rule.credential and rule.credential not in config.credentials:
            from clauderon.config.mistakes import not_one_of

            raise refuse("network", "rules", not_one_of(rule.credential, config.credentials))


def _check_credentials(config: Config, refuse: Callable[[str, str, str], UsageError]) -> None:
    for name in config.general.credentials or ():
        if name not in config.credentials:
            from clauderon.config.mistakes import not_one_of

            raise refuse("general", "credentials", not_one_of(name, config.credentials))
    for credential in config.credentials.values():
        section = f"credentials.{credential.name}"
        if not credential.hosts:
            raise refuse(section, "hosts", "a credential of your own needs the hosts that get it")
        if credential.file == credential.name and f"{section}.file" not in config.origins:
            others = [other.name for other in config.credentials.values() if other.file == credential.file]
            if len(others) > 1:  # the hosts of one would get the secret of the other
                other = next(name for name in others if name != credential.name)
                raise refuse(
                    section, "file", f"a file of this name is the secret of {other}; give it another"
                )
        if "{basic}" in credential.format and not credential.basic_user:
            raise refuse(section, "basic_user", "{basic} in format needs it")
