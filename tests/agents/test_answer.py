"""What agents print, taken apart: recorded from the real ones at the version named, and all that may go wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clauderon.agents import answer
from clauderon.config.schema import Agent

PRINTED = Path(__file__).parent / "printed"


def read(name: str, output: str) -> answer.Answer:
    return answer.read(Agent(name=name), output)


# The agents' own models were the stand-in, with 12 tokens in and 7 out a question.
@pytest.mark.parametrize(
    ("name", "file", "row"),
    [
        pytest.param(
            "claude",
            "claude.json",
            {
                "result": "Done: turn 1 is committed. ",
                "cost_usd": 0.000376,
                "tokens": {"input": 24, "output": 14, "cached": 0},
                "turns": 2,
                "conversation": "06406cb6-bea5-42d5-85bb-17e468fedb09",
            },
            id="Claude Code 2.1.332",
        ),
        pytest.param(
            "codex",
            "codex.jsonl",
            {
                "result": "Done: turn 1 is committed.",
                "cost_usd": None,
                "tokens": {"input": 24, "output": 14, "cached": 0},
                "turns": 1,
                "conversation": "01a226f7-0b4e-7e92-b851-c7cc13e3538a",
            },
            id="Codex 0.171.0",
        ),
        pytest.param(
            "gemini",
            "gemini.json",
            {
                "result": "Done: turn 1 is committed.",
                "cost_usd": None,
                "tokens": {"input": 36, "output": 21, "cached": 0},
                "turns": None,
                "conversation": "f288646e-7c35-4bab-be6c-cf87bce67866",
            },
            id="Gemini CLI 0.61.0",
        ),
    ],
)
@pytest.mark.parametrize("around", ["{}", "a warning\n{}", "{{not json\n{}trailing words\n"])
def test_every_agents_own_json_becomes_the_same_row(
    name: str, file: str, row: dict[str, object], around: str
) -> None:
    printed = (PRINTED / file).read_text()
    found = read(name, around.format(printed)).row()
    assert found.pop("agent_result")
    assert found == row


CACHED = {"inputTokens": 5, "outputTokens": 2, "cacheReadInputTokens": 100, "cacheCreationInputTokens": 10}


@pytest.mark.parametrize(
    ("name", "body", "tokens"),
    [
        ("claude", {"result": "x", "modelUsage": {"a": CACHED, "b": CACHED}}, (230, 4, 200)),
        (
            "claude",
            {"result": "x", "usage": {"input_tokens": 5, "output_tokens": 2, "cache_read_input_tokens": 100}},
            (105, 2, 100),
        ),
        (
            "codex",
            {
                "type": "turn.completed",
                "usage": {"input_tokens": 105, "cached_input_tokens": 100, "output_tokens": 2},
            },
            (105, 2, 100),
        ),
        (
            "gemini",
            {
                "response": "x",
                "stats": {
                    "models": {
                        "m": {
                            "tokens": {
                                "input": 5,
                                "prompt": 105,
                                "candidates": 1,
                                "thoughts": 1,
                                "cached": 100,
                            }
                        }
                    }
                },
            },
            (105, 2, 100),
        ),
    ],
)
def test_tokens_mean_the_same_of_every_agent(
    name: str, body: dict[str, object], tokens: tuple[int, int, int]
) -> None:
    """The cached ones are a part of the input: Claude Code gives them apart, the others within."""
    assert read(name, json.dumps(body)).tokens == dict(
        zip(("input", "output", "cached"), tokens, strict=True)
    )


@pytest.mark.parametrize(
    ("name", "output", "text"),
    [
        ("claude", '{"type": "result", "subtype": "error_max_turns", "is_error": true}', ""),
        ("claude", '{"type": "result", "errors": ["no credit"]}', "no credit"),
        (
            "codex",
            '{"type": "turn.started"}\n{"type": "turn.failed", "error": {"message": "no credit"}}',
            "no credit",
        ),
        ("codex", '{"type": "thread.started"}\n{"type": "error", "message": "no credit"}', "no credit"),
        ("gemini", '{"error": {"type": "Error", "message": "no credit", "code": 1}}', "no credit"),
    ],
)
def test_an_agent_that_failed_has_its_reason_as_the_result(name: str, output: str, text: str) -> None:
    assert read(name, output).text == text


def test_of_two_answers_the_last_one_is_the_result() -> None:
    """A print session that was stopped and started again has printed both."""
    two = '{"result": "first"}\n{"result": "second"}\n'
    assert read("claude", two).text == "second"
    said = '{"type": "item.completed", "item": {"type": "agent_message", "text": "%s"}}\n'
    assert read("codex", said % "first" + said % "second").text == "second"


def test_an_agent_of_ones_own_answers_in_text_or_with_a_result() -> None:
    own = Agent(name="claude", command=("my-agent",))
    assert answer.read(own, "the answer\n").row()["result"] == "the answer\n"
    assert answer.read(own, '{"result": "done", "total_cost_usd": 0.25, "num_turns": 3}').turns == 3
    assert answer.read(own, "[1]") == answer.Answer("[1]")
    assert answer.read(own, '{"x": 1}') == answer.Answer('{"x": 1}')


@given(
    st.sampled_from(["claude", "codex", "gemini", "mine"]),
    st.one_of(
        st.text(),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(
                    st.sampled_from(
                        [
                            "type",
                            "result",
                            "response",
                            "error",
                            "item",
                            "usage",
                            "stats",
                            "models",
                            "modelUsage",
                            "errors",
                        ]
                    ),
                    inner,
                )
            ),
        ).map(json.dumps),
    ),
)
@example("claude", '{"a":' * 100_000)
@example("claude", '{"result": "x", "total_cost_usd": NaN, "num_turns": true}')
@example("claude", '{"result": "\\ud800", "total_cost_usd": 1e999}')
@example("codex", '{"type": "turn.completed", "usage": {"input_tokens": "many"}}')
def test_nothing_that_an_agent_prints_breaks_the_row(name: str, output: str) -> None:
    row = read(name, output).row()
    assert isinstance(row["result"], str)
    if "agent_result" in row:
        json.dumps(row, allow_nan=False, ensure_ascii=False).encode()
