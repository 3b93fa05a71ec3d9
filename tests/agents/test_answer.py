"""What agents print, taken apart: all that may go wrong. What each prints when it goes well is in its own test."""

from __future__ import annotations

import json

from hypothesis import example, given
from hypothesis import strategies as st

from clauderon.agents import answer
from clauderon.config.schema import Agent
from clauderon.known.answers import Answer
from clauderon.known.table import AGENTS


def read(name: str, output: str) -> Answer:
    return answer.read(Agent(name=name), output)


def test_an_agent_of_ones_own_answers_in_text_or_with_a_result() -> None:
    own = Agent(name="claude", command=("my-agent",))
    assert answer.read(own, "the answer\n").row()["result"] == "the answer\n"
    assert answer.read(own, '{"result": "done", "total_cost_usd": 0.25, "num_turns": 3}').turns == 3
    assert answer.read(own, "[1]") == Answer("[1]")
    assert answer.read(own, '{"x": 1}') == Answer('{"x": 1}')


@given(
    st.sampled_from([*AGENTS, "mine"]),
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
