"""Qwen Code: what is run, which model it begins with, and what it prints taken apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from clauderon.agents import answer, setup
from clauderon.agents.image import ImageFacts
from clauderon.config.schema import Agent
from clauderon.known.answers import Answer
from clauderon.known.kind import JSON_RESULT
from clauderon.paths import Home
from clauderon.record import Session
from tests.known.starts import commands

Make = Callable[..., Session]
Find = Callable[[str], Agent]
PRINTED = Path(__file__).parent / "printed"
# For tests/agents/test_live_more_agents.py.
READY = "YOLO"
ASKED = '--help "it\'s"\n\nx\n\n\n'


def read(output: str) -> Answer:
    return answer.read(Agent(name="qwen"), output)


def test_it_is_given_the_id_of_its_conversation(session: Make, agent: Find) -> None:
    row = session(agent="qwen", plan=True)
    first, again = commands(row, agent("qwen"))
    assert (
        first == f'qwen --approval-mode=plan --session-id {row.conversation} --prompt-interactive="$prompt"'
    )
    assert again == f"qwen --approval-mode=plan --resume {row.conversation}"


def test_it_prints_from_its_input(session: Make, agent: Find) -> None:
    row = session(agent="qwen", print_mode=True, agent_args=JSON_RESULT)
    first, again = commands(row, agent("qwen"))
    assert first.startswith("qwen --approval-mode=yolo --output-format json") and first.endswith(
        '<"$session/prompt"'
    )
    assert again.endswith("'--prompt=Continue where you left off.'")


@pytest.mark.parametrize(
    ("supplied", "model"),
    [((), "qwen3-coder-plus"), (("openai",), "gpt-5"), (("openai", "dashscope"), "qwen3-coder-plus")],
)
def test_it_begins_with_a_model_that_there_is_a_key_for(
    home: Home, session: Make, agent: Find, supplied: tuple[str, ...], model: str
) -> None:
    row = session(agent="qwen")
    made = setup.prepare(
        home,
        row,
        agent("qwen"),
        prompt=b"go",
        facts=ImageFacts(arch="x64", uid=0, gid=0),
        binary=Path("/cache/qwen"),
        credential_kind=None,
        owner=None,
        environ={},
        credentials=supplied,
    )
    settings = json.loads((home.session_home(row.id) / ".qwen/settings.json").read_text())
    chosen = next(m for m in settings["modelProviders"]["openai"] if m["id"] == settings["model"]["name"])
    assert chosen["id"] == model
    assert "placeholder" in made.env[chosen["envKey"]]


@pytest.mark.parametrize("around", ["{}", "a warning\n{}", "{{not json\n{}trailing words\n"])
def test_its_own_json_becomes_the_row(around: str) -> None:
    """Printed by Qwen Code 0.24.4; its model was the stand-in, with 12 tokens in and 7 out a question."""
    found = read(around.format((PRINTED / "qwen.json").read_text())).row()
    assert found.pop("agent_result")
    assert found == {
        "result": "Done: turn 1 is committed.",
        "cost_usd": None,
        "tokens": {"input": 24, "output": 14, "cached": 0},
        "turns": 2,
        "conversation": "bb38d9de-36f9-4235-9e41-770b072ae332",
    }


def test_cached_tokens_are_a_part_of_the_input() -> None:
    usage = {"input_tokens": 105, "output_tokens": 2, "cache_read_input_tokens": 100}
    assert read(json.dumps([{"type": "result", "result": "x", "usage": usage}])).tokens == {
        "input": 105, "output": 2, "cached": 100,
    }  # fmt: skip


def test_when_it_failed_its_reason_is_the_result() -> None:
    failed = {"type": "result", "is_error": True, "error": {"message": "no credit"}}
    assert read(json.dumps([failed])).text == "no credit"
