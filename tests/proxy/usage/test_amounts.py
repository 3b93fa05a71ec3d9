"""Counts of tokens: a lie is no count."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.proxy.usage.amounts import MOST_TOKENS, Malformed, Usage, count


@pytest.mark.parametrize(
    ("container", "tokens"),
    [
        (None, 0),
        ({}, 0),
        ({"n": None}, 0),
        ({"n": 0}, 0),
        ({"n": 7}, 7),
        ({"n": 7.0}, 7),
        ({"n": MOST_TOKENS}, MOST_TOKENS),
    ],
)
def test_what_is_counted(container: object, tokens: int) -> None:
    assert count(container, "n") == tokens


@pytest.mark.parametrize(
    "value", [-1, MOST_TOKENS + 1, "7", True, False, 7.5, float("nan"), float("inf"), [], {}, 1e300]
)
def test_what_is_no_count(value: object) -> None:
    with pytest.raises(Malformed):
        count({"n": value}, "n")


@pytest.mark.parametrize("container", [[], "x", 3, True])
def test_what_is_no_object_has_no_counts(container: object) -> None:
    with pytest.raises(Malformed):
        count(container, "n")


@given(*[st.integers(0, 99)] * 5)
def test_all_tokens_are_summed(a: int, b: int, c: int, d: int, e: int) -> None:
    assert Usage("m", a, b, c, d, e).tokens == a + b + c + d + e
