"""What is run for a session, read from its launch file; for the tests of each agent."""

from __future__ import annotations

from clauderon.agents import launch
from clauderon.config.schema import Agent
from clauderon.record import Session


def commands(session: Session, agent: Agent, prompt: bytes | None = b"go", *program: str) -> tuple[str, str]:
    """The `first` and `resume` of the launch file."""
    size = None if prompt is None else len(prompt)
    text = launch.launch_file(session, agent, program=program or (agent.name,), prompt_bytes=size, uid=1000)
    functions = dict(line.split("() { launch ", 1) for line in text.splitlines() if "() { launch " in line)
    return functions["first"].removesuffix("; }"), functions["resume"].removesuffix("; }")
