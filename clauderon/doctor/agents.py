"""Whether the programs that `[agents.NAME] path` names are there. Starts none of them."""

from __future__ import annotations

import shlex

from clauderon.agents import own
from clauderon.config.schema import Config
from clauderon.doctor.check import Check, fail, ok
from clauderon.errors import UsageError
from clauderon.paths import Home


def programs(settings: Config, home: Home) -> Check:
    """The first `path` that is no program, or how many there are."""
    name = "agents"
    given = [agent for agent in settings.agents.values() if agent.path]
    for agent in given:
        try:
            own.find(agent)
        except UsageError as error:
            edit = f"${{EDITOR:-vi}} {shlex.quote(str(home.config))}"
            hint = error.hint or ""
            return fail(name, f"{error.what}: {error.why}", hint if hint.startswith("chmod") else edit)
    if not given:
        return ok(name, "no [agents.NAME] path is set")
    return ok(name, ", ".join(f"{agent.name}: {agent.path}" for agent in given))
