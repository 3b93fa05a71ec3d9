"""Checks everything a session needs, and says for each thing what was found and which command fixes it.

Changes nothing but for one throwaway container. Never prints, never raises for what it finds wrong.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from clauderon import config
from clauderon.config.schema import Config
from clauderon.doctor import agents, engine, machine, network
from clauderon.doctor.check import Check, fail, ok, warn
from clauderon.errors import ClauderonError, UsageError
from clauderon.paths import Home

__all__ = ["Check", "examine"]


def examine(home: Home, environ: Mapping[str, str]) -> Iterator[Check]:
    """Every check, in the order a person would go about it, each as soon as it is known."""
    yield machine.state_directory(home)
    settings, check = _configuration(home, environ)
    yield check
    yield machine.variables(settings, environ) if settings else _depends("environment")
    yield machine.git(environ)
    yield machine.database(home)
    yield machine.credentials(settings, home, environ) if settings else _depends("credentials")
    yield agents.programs(settings, home, environ) if settings else _depends("agents")
    yield machine.disk(home)
    yield machine.sessions_disk(home)
    yield machine.locks(home)
    yield network.certificate(home)
    if settings is None:
        yield _depends("proxy")
        yield _depends("docker")
        return
    proxy = network.proxy(home, settings)
    yield proxy
    docker, found = engine.reach(settings, environ)
    yield from found
    if docker is None:
        return
    yield engine.image(docker, settings)
    yield engine.disk(docker)
    yield engine.names_taken(home, docker)
    yield engine.orphans(home, settings, docker, environ)
    yield network.from_container(home, settings, docker, environ, proxy_up=proxy.outcome == "ok")


def _edit(home: Home) -> str:
    return f"${{EDITOR:-vi}} {shlex.quote(str(home.config))}"


def _depends(name: str) -> Check:
    """Said in place of a check by the defaults, which would be of another port, agent or engine than the person's."""
    return warn(name, "not looked at, since the configuration cannot be read")


def _configuration(home: Home, environ: Mapping[str, str]) -> tuple[Config | None, Check]:
    """The configuration, None where it cannot be read, and what is wrong with it."""
    try:
        settings = config.load(home, environ)
    except UsageError as error:
        return None, fail("configuration", f"{error.what}: {error.why}", error.hint or _edit(home))
    except ClauderonError as error:
        return None, fail("configuration", str(error), error.hint or _edit(home))
    count = len(settings.origins)
    where = str(home.config) if home.config.exists() else "no config.toml, which is fine"
    return settings, ok(
        "configuration", f"{where}; {count} values differ from the defaults" if count else where
    )
