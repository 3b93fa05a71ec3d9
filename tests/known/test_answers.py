"""An agent's answer taken out of whatever it printed: no object breaks it, and no lie is a number."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.known import answers

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
KEYS = st.sampled_from(
    ["result", "type", "usage", "modelUsage", "errors", "total_cost_usd", "num_turns", "session_id"]
)


@given(st.lists(st.dictionaries(KEYS, VALUES | st.just("result")), max_size=3))
def test_no_object_breaks_it(values: list[dict[str, Any]]) -> None:
    found = answers.result_object(values)
    assert found is None or isinstance(found.text, str)


def test_the_last_result_counts() -> None:
    usage = {"input_tokens": 1, "cache_read_input_tokens": 2, "output_tokens": 4}
    last = {"result": "last", "total_cost_usd": 0.5, "num_turns": 3, "session_id": "s", "usage": usage}
    found = answers.result_object([{"type": "result", "result": "first"}, last, {"type": "log"}])
    assert found is not None
    assert (found.text, found.cost_usd, found.turns, found.conversation) == ("last", 0.5, 3, "s")
    assert found.tokens == {"input": 3, "output": 4, "cached": 2}


def test_what_all_models_used_is_stronger_than_the_last_ones_usage() -> None:
    models = {
        "a": {"inputTokens": 1, "outputTokens": 2},
        "b": {"inputTokens": 3, "cacheReadInputTokens": 4},
        "c": "x",
    }
    body = {"result": "", "usage": {"input_tokens": 99}, "modelUsage": models, "errors": ["no", 3]}
    found = answers.result_object([body])
    assert found is not None
    assert found.tokens == {"input": 8, "output": 2, "cached": 4}
    assert found.text == "no\n3", "without a word it says why"


def test_without_a_result_there_is_no_answer() -> None:
    assert answers.result_object([{"type": "log"}, {}]) is None
    assert answers.result_object([]) is None


@pytest.mark.parametrize("lie", [True, "3", None, [], {}])
def test_only_numbers_are_numbers(lie: object) -> None:
    assert answers.number(lie) is None and answers.whole(lie) is None
    assert answers.whole(3.5) is None and answers.number(3.5) == 3.5


def test_the_agents_own_json_is_in_the_row_where_there_is_one() -> None:
    assert "agent_result" not in answers.Answer("x").row()
    assert answers.Answer("x", body={"a": 1}).row()["agent_result"] == {"a": 1}
