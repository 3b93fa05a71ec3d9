"""The table of agents: every file of `known.agents`, by its name. Look-up only."""

from __future__ import annotations

import importlib
import os

from clauderon.known.kind import Known, Lent

_FOLDER = os.path.join(os.path.dirname(__file__), "agents")  # noqa: PTH118, PTH120 - on the way of every command


def _names() -> list[str]:
    return sorted(
        file.removesuffix(".py")
        for file in os.listdir(_FOLDER)  # noqa: PTH208 - likewise
        if file.endswith(".py") and not file.startswith("_")
    )


def _agent(name: str) -> Known:
    agent: Known = importlib.import_module(f"clauderon.known.agents.{name}").AGENT
    return agent


AGENTS: dict[str, Known] = {name: _agent(name) for name in _names()}
# What they bring, by the credential's name.
LENT: dict[str, Lent] = {lent.credential.name: lent for agent in AGENTS.values() for lent in agent.lends}
