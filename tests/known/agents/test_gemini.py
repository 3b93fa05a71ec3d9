"""Gemini CLI: what is run, and what it prints taken apart."""

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
    return answer.read(Agent(name="gemini"), output)


def test_gemini_is_given_the_id_of_its_conversation_if_it_is_ours(session: Make, agent: Find) -> None:
    row = session(agent="gemini", plan=True)
    ours = commands(row, agent("gemini"), b"go", "node", "/clauderon/agent/bundle/gemini.js")
    assert f"--session-id {row.conversation}" in ours[0]
    assert ours[1].endswith(f"--resume {row.conversation}")
    assert "--approval-mode=plan" in ours[0]
    assert commands(row, agent("gemini"), b"go", "/usr/bin/gemini")[1].endswith("--resume latest")


def test_gemini_takes_its_prompt_in_one_word_with_the_option(session: Make, agent: Find) -> None:
    first, resume = commands(session(agent="gemini"), agent("gemini"), b"go", "node", "/agent/gemini.js")
    assert first.endswith('--prompt-interactive="$prompt"')
    assert resume.startswith("node /agent/gemini.js")


def test_it_is_asked_for_json(session: Make, agent: Find) -> None:
    row = session(agent="gemini", print_mode=True, agent_args=JSON_RESULT)
    assert "--output-format json" in commands(row, agent("gemini"))[0]


# Its model was the stand-in, with 12 tokens in and 7 out a question.
@pytest.mark.parametrize("around", ["{}", "a warning\n{}", "{{not json\n{}trailing words\n"])
def test_its_own_json_becomes_the_row(around: str) -> None:
    """Printed by Gemini CLI 0.61.0."""
    found = read(around.format((PRINTED / "gemini.json").read_text())).row()
    assert found.pop("agent_result")
    assert found == {
        "result": "Done: turn 1 is committed.",
        "cost_usd": None,
        "tokens": {"input": 36, "output": 21, "cached": 0},
        "turns": None,
        "conversation": "f288646e-7c35-4bab-be6c-cf87bce67866",
    }


def test_cached_tokens_are_a_part_of_the_input() -> None:
    tokens = {"input": 5, "prompt": 105, "candidates": 1, "thoughts": 1, "cached": 100}
    found = read(json.dumps({"response": "x", "stats": {"models": {"m": {"tokens": tokens}}}})).tokens
    assert found == {"input": 105, "output": 2, "cached": 100}


def test_when_it_failed_its_reason_is_the_result() -> None:
    assert read('{"error": {"type": "Error", "message": "no credit", "code": 1}}').text == "no credit"
