"""Copilot CLI: what is run, what it may have, and what it prints taken apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from clauderon.agents import answer
from clauderon.config.builtin_credentials import BUILTIN_CREDENTIALS, LENT
from clauderon.config.schema import Agent
from clauderon.known.agents.copilot import AGENT
from clauderon.known.answers import Answer
from clauderon.known.kind import JSON_RESULT
from clauderon.record import Session
from tests.known.starts import commands

Make = Callable[..., Session]
Find = Callable[[str], Agent]
PRINTED = Path(__file__).parent / "printed"
# For tests/agents/test_live_more_agents.py.
READY = "/workspace"
ASKED = '--help "it\'s"\n\nx'


def read(output: str) -> Answer:
    return answer.read(Agent(name="copilot"), output)


def test_it_is_given_the_id_of_its_conversation(session: Make, agent: Find) -> None:
    row = session(agent="copilot")
    first, again = commands(row, agent("copilot"))
    assert first.endswith(f'--allow-all --session-id {row.conversation} --interactive="$prompt"')
    assert again.endswith(f"--session-id {row.conversation}")


def test_it_prints_from_its_input(session: Make, agent: Find) -> None:
    row = session(agent="copilot", print_mode=True, agent_args=JSON_RESULT)
    first, again = commands(row, agent("copilot"))
    assert first.endswith(f'--output-format json --session-id {row.conversation} <"$session/prompt"')
    assert again.endswith("'--prompt=Continue where you left off.'")


def test_in_plan_mode_it_is_allowed_nothing(session: Make, agent: Find) -> None:
    first, again = commands(session(agent="copilot", plan=True), agent("copilot"))
    assert "--plan" in first and "--allow-all" not in first + again


def test_its_token_makes_no_model_of_the_rest_of_github() -> None:
    """A read-only session may POST to the hosts of a model: api.github.com must be none. And where there is a token for
    GitHub itself, that goes before it.
    """
    assert [
        host for host in BUILTIN_CREDENTIALS["copilot"].hosts if not host.endswith(".githubcopilot.com")
    ] == []
    assert not BUILTIN_CREDENTIALS["copilot-user"].model_api
    assert BUILTIN_CREDENTIALS["copilot-user"].paths == ("/copilot_internal/user",)
    names = list(BUILTIN_CREDENTIALS)
    assert names.index("github") < names.index("copilot-user")


def test_its_placeholder_is_of_a_kind_that_it_takes() -> None:
    """It refuses a classic token, which begins with ghp_, before it asks anybody."""
    assert LENT["copilot"].placeholder.startswith("github_pat_")


def test_it_has_a_build_for_each_libc() -> None:
    assert AGENT.install.npm["linux-arm64-musl"] == "@github/copilot-linuxmusl-arm64@{version}"
    assert AGENT.install.npm["linux-x64"] == "@github/copilot-linux-x64@{version}"


@pytest.mark.parametrize("around", ["{}", "a warning\n{}", "{{not json\n{}trailing words\n"])
def test_its_own_json_becomes_the_row(around: str) -> None:
    """Printed by Copilot CLI 1.0.102, but for the events that it does not keep; it says no tokens."""
    found = read(around.format((PRINTED / "copilot.jsonl").read_text())).row()
    assert found.pop("agent_result")
    assert found == {
        "result": "Done: turn 0 is committed.",
        "cost_usd": None,
        "tokens": None,
        "turns": 2,
        "conversation": "68f231ed-117c-4aef-8afc-be198834671b",
    }


def test_when_it_failed_its_reason_is_the_result() -> None:
    assert read(json.dumps({"type": "session.error", "data": {"message": "no credit"}})).text == "no credit"
