"""Looks at everything a session needs, and says of each thing what was found and which command mends it.

Changes nothing but for one throwaway container. Never prints, never raises for what it finds wrong.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from clauderon import config
from clauderon.config.schema import Config
from clauderon.doctor import engine, machine, network
from clauderon.doctor.check import Check, fail, ok
from clauderon.errors import ClauderonError, UsageError
from clauderon.paths import Home

__all__ = ["Check", "examine"]


def examine(home: Home, environ: Mapping[str, str]) -> Iterator[Check]:
    """Every check, in the order a person would go about it, each as soon as it is known."""
    yield machine.state_directory(home)
    settings, check = _configuration(home, environ)
    yield check
    yield machine.variables(settings, environ)
    yield machine.git(environ)
    yield machine.database(home)
    yield machine.credentials(settings, home, environ)
    yield machine.disk(home)
    yield machine.locks(home)
    yield network.certificate(home)
    proxy = network.proxy(home, settings)
    yield proxy
    docker, found = engine.reach(settings, environ)
    yield from found
    if docker is None:
        return
    yield engine.disk(docker)
    yield engine.names_taken(home, docker)
    yield engine.orphans(home, settings, docker, environ)
    yield network.from_container(home, settings, docker, environ, proxy_up=proxy.outcome == "ok")


def _edit(home: Home) -> str:
    return f"${{EDITOR:-vi}} {shlex.quote(str(home.config))}"


def _configuration(home: Home, environ: Mapping[str, str]) -> tuple[Config, Check]:
    """The configuration, and what is wrong with it; with a broken one the checks go on by the defaults."""
    try:
        settings = config.load(home, environ)
    except UsageError as error:
        return config.defaults(), fail(
            "configuration", f"{error.what}: {error.why}", error.hint or _edit(home)
        )
    except ClauderonError as error:
        return config.defaults(), fail("configuration", str(error), error.hint or _edit(home))
    count = len(settings.origins)
    where = str(home.config) if home.config.exists() else "no config.toml, which is fine"
    return settings, ok(
        "configuration", f"{where}; {count} values differ from the defaults" if count else where
    )
