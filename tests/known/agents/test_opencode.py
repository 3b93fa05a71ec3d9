"""opencode: what is run, and what it prints taken apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from clauderon.agents import answer
from clauderon.config.schema import Agent
from clauderon.known.answers import Answer
from clauderon.known.kind import JSON_RESULT
from clauderon.record import Session
from tests.known.starts import commands

Make = Callable[..., Session]
Find = Callable[[str], Agent]
PRINTED = Path(__file__).parent / "printed"
# For tests/agents/test_live_more_agents.py.
READY = "ctrl+p"


def read(output: str) -> Answer:
    return answer.read(Agent(name="opencode"), output)


def test_it_continues_its_last_conversation(session: Make, agent: Find) -> None:
    first, again = commands(session(agent="opencode"), agent("opencode"))
    assert first == 'opencode --auto --prompt="$prompt"'
    assert again == "opencode --continue --auto"


def test_it_prints_from_its_input(session: Make, agent: Find) -> None:
    row = session(agent="opencode", print_mode=True, agent_args=JSON_RESULT)
    first, again = commands(row, agent("opencode"))
    assert first == 'opencode run --auto --format json <"$session/prompt"'
    assert again == "opencode run --continue --auto --format json -- 'Continue where you left off.'"


def test_it_asks_where_it_is_not_to_act_by_itself(session: Make, agent: Find) -> None:
    asking = agent("opencode")._replace(permission_mode="ask")
    assert "--auto" not in "".join(commands(session(agent="opencode"), asking))


@pytest.mark.parametrize("around", ["{}", "a warning\n{}", "{{not json\n{}trailing words\n"])
def test_its_own_json_becomes_the_row(around: str) -> None:
    """Printed by opencode 1.18.34; its model was the stand-in, with 12 tokens in and 7 out a question."""
    found = read(around.format((PRINTED / "opencode.jsonl").read_text())).row()
    assert found.pop("agent_result")
    assert found == {
        "result": "Done: turn 1 is committed. ",
        "cost_usd": 0.000282,
        "tokens": {"input": 24, "output": 14, "cached": 0},
        "turns": 2,
        "conversation": "ses_dd7bcf7a4ffeetwH3HK5P5GPn3",
    }


def test_cached_tokens_are_a_part_of_the_input_and_thoughts_of_the_output() -> None:
    tokens = {"input": 5, "output": 1, "reasoning": 1, "cache": {"read": 90, "write": 10}}
    event = {"type": "step_finish", "sessionID": "ses_x", "part": {"tokens": tokens}}
    assert read(json.dumps(event)).tokens == {"input": 105, "output": 2, "cached": 90}


def test_when_it_failed_its_reason_is_the_result() -> None:
    error = {"name": "APIError", "data": {"message": "no credit"}}
    assert read(json.dumps({"type": "error", "sessionID": "ses_x", "error": error})).text == "no credit"
