"""Whether the programs that `[agents.NAME] path` names are there, and npm for `npm`. Starts none of them."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping

from clauderon.agents import own
from clauderon.agents.npm import NO_NPM
from clauderon.config.schema import Config
from clauderon.doctor.check import Check, fail, ok
from clauderon.errors import UsageError
from clauderon.paths import Home


def programs(settings: Config, home: Home, environ: Mapping[str, str]) -> Check:
    """The first `path` that is no program, or what is set."""
    name = "agents"
    given = [agent for agent in settings.agents.values() if agent.path]
    for agent in given:
        try:
            own.find(agent)
        except UsageError as error:
            edit = f"${{EDITOR:-vi}} {shlex.quote(str(home.config))}"
            hint = error.hint or ""
            return fail(name, f"{error.what}: {error.why}", hint if hint.startswith("chmod") else edit)
    fetched = [agent for agent in settings.agents.values() if agent.npm and not agent.path]
    if fetched and shutil.which("npm", path=environ.get("PATH")) is None:
        what = f"[agents.{fetched[0].name}] npm"
        return fail(name, f"{what}: there is no npm on PATH to fetch it with", NO_NPM)
    if not given and not fetched:
        return ok(name, "no [agents.NAME] path or npm is set")
    return ok(name, ", ".join(f"{agent.name}: {agent.path or agent.npm}" for agent in (*given, *fetched)))
