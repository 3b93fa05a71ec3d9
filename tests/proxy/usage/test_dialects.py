"""What each API's objects say was used, whatever their shape."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clauderon.proxy.usage.amounts import MOST_TOKENS, Usage
from clauderon.proxy.usage.dialects import Dialect, anthropic, gemini, openai
from tests.proxy.usage import said
from tests.proxy.usage.said import read


def test_a_later_event_with_all_counts_replaces_those_of_the_first() -> None:
    first, last = Usage("m", 1, 2, 3, 4, 1), Usage("m", 10, 20, 30, 40, 50)
    body = said.sse(
        (
            "message_start",
            {"type": "message_start", "message": {"model": "m", "usage": said.anthropic_usage(first)}},
        ),
        ("message_delta", {"type": "message_delta", "usage": said.anthropic_usage(last)}),
    )
    assert read(anthropic, True, [body]) == last


@pytest.mark.parametrize(
    "lie",
    [-1, MOST_TOKENS + 1, 10**400, "7", True, 1.5, [], {}],
)
def test_a_count_that_is_no_count_is_unknown(lie: object) -> None:
    for dialect, body in (
        (anthropic, {"type": "message", "usage": {"input_tokens": lie, "output_tokens": 1}}),
        (openai, {"usage": {"input_tokens": lie, "output_tokens": 1}}),
        (openai, {"usage": {"prompt_tokens": 1, "completion_tokens": lie}}),
        (gemini, {"usageMetadata": {"promptTokenCount": lie}}),
    ):
        usage = read(dialect, False, [said.compact(body)])
        assert not usage.known
        assert usage.tokens <= 1


@settings(max_examples=30)
@given(value=st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner:
    st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["usage", "type", "message", "response", "usageMetadata", "input_tokens", "model"]), inner),
    max_leaves=10))  # fmt: skip
@pytest.mark.parametrize("dialect", [anthropic, openai, gemini])
def test_no_shape_breaks_the_reader(dialect: Dialect, value: object) -> None:
    for streamed in (True, False):
        body = said.compact(value)
        read(dialect, streamed, [b"data: " + body + b"\n\n" if streamed else body])
