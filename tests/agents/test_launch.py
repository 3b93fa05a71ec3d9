"""What is run: the commands of each agent, and what is refused before anything exists."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import hypothesis
import pytest
from hypothesis import strategies as st

from clauderon.agents import launch
from clauderon.config.schema import Agent
from clauderon.errors import UsageError
from clauderon.record import Session
from tests.known.starts import commands

Make = Callable[..., Session]
Find = Callable[[str], Agent]


@hypothesis.given(
    st.lists(st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"])), min_size=1)
)
def test_every_argument_survives_the_shell(session: Make, agent: Find, words: list[str]) -> None:
    hypothesis.assume(not any(re.search(r"\{[a-z_]+\}", word) for word in words))
    own = Agent(name="own", command=("printf", "%s\\0", *words))
    text = launch.launch_file(session(agent="own"), own, program=("printf",), prompt_bytes=None, uid=None)
    script = f'launch() {{ "$@"; }}\n{text}\nfirst\n'
    done = subprocess.run(["sh"], input=script.encode(), capture_output=True, check=True)
    assert done.stdout.decode() == "".join(f"{word}\0" for word in words)


# The fixtures make plain values, nothing that one example could leave for the next.
test_every_argument_survives_the_shell = hypothesis.settings(
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture], max_examples=40
)(test_every_argument_survives_the_shell)


def test_an_own_agent_is_given_the_prompt_file(session: Make) -> None:
    own = Agent(name="own", command=("sh", "{prompt_file}"), print_command=("run", "--from={prompt_file}"))
    assert commands(session(agent="own"), own)[0] == "sh /clauderon/session/prompt"
    printed = commands(session(agent="own", print_mode=True), own)
    assert printed == ("run --from=/clauderon/session/prompt",) * 2


def test_an_own_agent_is_given_the_conversation_at_every_start(session: Make) -> None:
    own = Agent(
        name="own", command=("x", "--new={conversation}"), resume_command=("x", "-r", "{conversation}")
    )
    row = session(agent="own")
    assert commands(row, own) == (f"x --new={row.conversation}", f"x -r {row.conversation}")


@pytest.mark.parametrize(
    ("changes", "name", "prompt", "why"),
    [
        ({"plan": True, "agent": "codex"}, "codex", b"go", "no plan mode"),
        ({}, "claude", b"\xff", "byte 0 is not UTF-8"),
    ],
)
def test_what_the_agent_cannot_do_is_refused(
    session: Make, agent: Find, changes: dict[str, object], name: str, prompt: bytes, why: str
) -> None:
    with pytest.raises(UsageError, match=why):
        launch.check(session(**changes), agent(name), prompt)


def test_print_needs_a_print_command_of_an_own_agent(session: Make) -> None:
    own = Agent(name="own", command=("sh",))
    launch.check(session(agent="own"), own, b"\xff\xfe")
    with pytest.raises(UsageError, match="no print_command"):
        launch.check(session(agent="own", print_mode=True), own, b"go")
