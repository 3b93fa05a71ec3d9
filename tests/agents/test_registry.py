"""Which agents there are."""

from __future__ import annotations

import subprocess
import sys

import pytest

from clauderon.agents import registry
from clauderon.config.builtin_agents import BUILTIN_AGENTS
from clauderon.config.schema import Agent, Config
from clauderon.errors import UsageError
from clauderon.known.table import AGENTS

CONFIG = Config(agents={**BUILTIN_AGENTS, "scripted": Agent(name="scripted", command=("sh",))})


def test_built_in_and_own_agents_are_found() -> None:
    assert registry.find(CONFIG, "claude").credentials
    assert registry.find(CONFIG, "scripted").command == ("sh",)
    assert registry.find(Config(), "codex").name == "codex"


def test_an_unknown_agent_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(UsageError, match="'claude'") as caught:
        registry.find(CONFIG, "cluade")
    assert caught.value.hint == "clauderon create --agent claude ..."
    with pytest.raises(UsageError, match=", ".join(sorted((*AGENTS, "scripted")))):
        registry.find(CONFIG, "zzzz\n")


def test_every_built_in_agent_is_packaged() -> None:
    assert AGENTS.keys() == BUILTIN_AGENTS.keys()


def test_a_built_in_agent_with_a_command_is_the_users_own() -> None:
    assert registry.builtin(Agent(name="claude", command=("my-claude",))) is None


def test_the_path_of_create_imports_nothing_slow() -> None:
    code = (
        "import sys; from clauderon.agents import binary, image, registry, setup;"
        "print(sorted({'plumbum', 'sh', 'aiohttp', 'rich', 'trustme', 'urllib.request', 'ssl', 'tarfile', 'http'}"
        " & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
