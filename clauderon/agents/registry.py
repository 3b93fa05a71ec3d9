"""Which agents there are, and what makes each built-in one special. Data and look-up; no disk, no process."""

from __future__ import annotations

from typing import NamedTuple

from clauderon.config.schema import Agent, Config
from clauderon.errors import UsageError


class Builtin(NamedTuple):
    """How a built-in agent is packaged.

    program:  the executable's name, in an image that has it and in what we fetch.
    launch:   path of the executable below the fetched directory.
    npm:      npm package per platform (`linux-x64`, `linux-x64-musl`, ...), `{version}` in it where the
              platform is part of the version.
    dist_tags: the npm package whose dist-tags say what `latest` and `stable` are.
    strip:    leading folders of the npm tarball that are not kept, `*` for any name.
    channel:  whether the vendor's own release channel is asked before npm.
    static:   whether the binary runs on any libc, or none.
    runtime:  a program the image itself must have.
    """

    program: str
    title: str
    launch: str
    npm: dict[str, str]
    dist_tags: str
    strip: str = "package"
    channel: bool = False
    static: bool = False
    runtime: str = ""


_ANY_LIBC = ("linux-x64", "linux-x64-musl", "linux-arm64", "linux-arm64-musl")

BUILTIN: dict[str, Builtin] = {
    "claude": Builtin(
        program="claude",
        title="Claude Code",
        launch="claude",
        npm={platform: f"@anthropic-ai/claude-code-{platform}@{{version}}" for platform in _ANY_LIBC},
        dist_tags="@anthropic-ai/claude-code",
        channel=True,
    ),
    "codex": Builtin(
        program="codex",
        title="Codex",
        launch="bin/codex",
        npm={p: f"@openai/codex@{{version}}-{p.removesuffix('-musl')}" for p in _ANY_LIBC},
        dist_tags="@openai/codex",
        strip="package/vendor/*",
        static=True,
    ),
    "gemini": Builtin(
        program="gemini",
        title="Gemini CLI",
        launch="bundle/gemini.js",
        npm=dict.fromkeys(_ANY_LIBC, "@google/gemini-cli@{version}"),
        dist_tags="@google/gemini-cli",
        static=True,
        runtime="node",
    ),
}


def find(config: Config, name: str) -> Agent:
    """The agent called `name`. Raises UsageError naming the nearest one known."""
    agent = config.agents.get(name)
    if agent is None and name in BUILTIN:
        agent = Agent(name=name)
    if agent is not None:
        return agent
    import difflib

    known = sorted({*config.agents, *BUILTIN})
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    nearest = f"the nearest is {close[0]!r}" if close else f"known are {', '.join(known)}"
    raise UsageError(
        f"--agent {name!a}",
        f"no agent has this name; {nearest}",
        hint=f"clauderon create --agent {close[0] if close else 'claude'} ...",
    )


def builtin(agent: Agent) -> Builtin | None:
    """How the agent is packaged, or None for one whose command is the user's own."""
    return None if agent.command else BUILTIN.get(agent.name)


def title(agent: Agent) -> str:
    """The agent's name as a person knows it."""
    known = builtin(agent)
    return known.title if known else agent.name
