"""The agents clauderon knows without being told, and the credentials each can work with. Data only.

What else there is to know of one is its file in `known.agents`. A table `[agents.<name>]` in `config.toml` changes one
of these key by key, or adds an agent of the user's own.
"""

from __future__ import annotations

from clauderon.config.schema import Agent
from clauderon.known import table

BUILTIN_AGENTS: dict[str, Agent] = {
    name: Agent(name=name, credentials=known.credentials) for name, known in table.AGENTS.items()
}
