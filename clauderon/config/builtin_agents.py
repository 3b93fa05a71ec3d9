"""The agents clauderon knows without being told, and the credentials each can work with. Data only.

How they are installed and launched is the `agents` package's knowledge. A table `[agents.<name>]` in
`config.toml` changes one of these key by key, or adds an agent of the user's own.
"""

from __future__ import annotations

from clauderon.config.schema import Agent

BUILTIN_AGENTS: dict[str, Agent] = {
    agent.name: agent
    for agent in (
        Agent(name="claude", credentials=("anthropic", "anthropic-oauth")),
        Agent(name="codex", credentials=("openai",)),
        Agent(name="gemini", credentials=("google",)),
    )
}
