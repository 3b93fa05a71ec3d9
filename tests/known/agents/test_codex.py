"""Codex: what is run, and what it prints taken apart."""

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


def read(output: str) -> Answer:
    return answer.read(Agent(name="codex"), output)


def test_it_is_not_asked_for_an_object_it_does_not_print(session: Make, agent: Find) -> None:
    row = session(agent="codex", print_mode=True, agent_args=JSON_RESULT)
    first, again = commands(row, agent("codex"))
    assert "output-format" not in first + again
    assert "--json" in first and "--json" in again


def test_only_a_codex_we_brought_is_told_to_trust_our_hooks(session: Make, agent: Find) -> None:
    row = session(agent="codex")
    assert (
        "--dangerously-bypass-hook-trust"
        in commands(row, agent("codex"), b"go", "/clauderon/agent/bin/codex")[0]
    )
    assert "--dangerously-bypass-hook-trust" not in commands(row, agent("codex"), b"go", "/usr/bin/codex")[0]


# Its model was the stand-in, with 12 tokens in and 7 out a question.
@pytest.mark.parametrize("around", ["{}", "a warning\n{}", "{{not json\n{}trailing words\n"])
def test_its_own_json_becomes_the_row(around: str) -> None:
    """Printed by Codex 0.171.0."""
    found = read(around.format((PRINTED / "codex.jsonl").read_text())).row()
    assert found.pop("agent_result")
    assert found == {
        "result": "Done: turn 1 is committed.",
        "cost_usd": None,
        "tokens": {"input": 24, "output": 14, "cached": 0},
        "turns": 1,
        "conversation": "01a226f7-0b4e-7e92-b851-c7cc13e3538a",
    }


def test_cached_tokens_are_a_part_of_the_input() -> None:
    usage = {"input_tokens": 105, "cached_input_tokens": 100, "output_tokens": 2}
    found = read(json.dumps({"type": "turn.completed", "usage": usage})).tokens
    assert found == {"input": 105, "output": 2, "cached": 100}


@pytest.mark.parametrize(
    "output",
    [
        '{"type": "turn.started"}\n{"type": "turn.failed", "error": {"message": "no credit"}}',
        '{"type": "thread.started"}\n{"type": "error", "message": "no credit"}',
    ],
)
def test_when_it_failed_its_reason_is_the_result(output: str) -> None:
    assert read(output).text == "no credit"


def test_of_two_answers_the_last_one_is_the_result() -> None:
    """A print session that was stopped and started again has printed both."""
    said = '{"type": "item.completed", "item": {"type": "agent_message", "text": "%s"}}\n'
    assert read(said % "first" + said % "second").text == "second"
