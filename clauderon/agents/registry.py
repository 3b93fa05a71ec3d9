"""Which agent is meant by a name, and what is known of it. Look-up; no disk, no process."""

from __future__ import annotations

from clauderon.config.schema import Agent, Config
from clauderon.errors import UsageError
from clauderon.known.kind import Known
from clauderon.known.table import AGENTS


def find(config: Config, name: str) -> Agent:
    """The agent called `name`. Raises UsageError naming the nearest one known."""
    agent = config.agents.get(name)
    if agent is None and name in AGENTS:
        agent = Agent(name=name)
    if agent is not None:
        return agent
    import difflib

    known = sorted({*config.agents, *AGENTS})
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    nearest = f"the nearest is {close[0]!r}" if close else f"known are {', '.join(known)}"
    raise UsageError(
        f"--agent {name!a}",
        f"no agent has this name; {nearest}",
        hint=f"clauderon create --agent {close[0] if close else config.general.default_agent} ...",
    )


def builtin(agent: Agent) -> Known | None:
    """What is known of the agent, or None for one whose command is the user's own."""
    return None if agent.command else AGENTS.get(agent.name)


def title(agent: Agent) -> str:
    """The agent's name as a person knows it."""
    known = builtin(agent)
    return known.title if known else agent.name
