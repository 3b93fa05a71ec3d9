"""Asks in the background, at most once a day, whether there is a newer version of an agent, and fetches it.

`create` never waits for it: the version found is the next session's. Run as `python -m clauderon.agents.update`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping

from clauderon.agents import binary, registry
from clauderon.agents.image import ImageFacts
from clauderon.config.schema import Agent
from clauderon.paths import Home

# How long a try that failed (no network) is not repeated.
RETRY_S = 3600.0


def later(home: Home, agent: Agent, facts: ImageFacts, environ: Mapping[str, str]) -> bool:
    """Begin an update if it is time for one; returns at once, and whether one began.

    Its words go to `~/.clauderon/logs/agents.log`.
    """
    if agent.path or not binary.needed(agent, facts) or not binary.is_stale(home, agent):
        return False
    tried = home.agents / agent.name / ".tried"
    try:
        if time.time() - tried.stat().st_mtime < RETRY_S:
            return False
    except FileNotFoundError:
        pass
    from clauderon import proc

    tried.touch()
    argv = [sys.executable, "-m", "clauderon.agents.update", agent.name, facts.arch, facts.libc]
    environment = {**environ, "CLAUDERON_HOME": str(home.root)}
    proc.daemon(argv, env=environment, log=home.logs / "agents.log")
    return True


def main(argv: list[str]) -> int:
    """argv: agent, architecture, libc, as `later` passes them."""
    from clauderon.config import load
    from clauderon.errors import ClauderonError

    name, arch, libc = argv
    home = Home.from_environ(os.environ)
    try:
        agent = registry.find(load(home, os.environ), name)
        facts = ImageFacts(arch=arch, libc=libc, programs={"node": "node"})  # type: ignore[arg-type]
        binary.ensure(home, agent, facts, environ=os.environ, progress=lambda *_: None, newest=True)
    except ClauderonError as error:
        sys.stderr.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {error}\n")
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
