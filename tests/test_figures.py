"""Figures for people: short, and never a lie about what is not known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon import figures


@given(st.floats(0, 1e15), st.sampled_from([1000, 1024]))
def test_an_amount_takes_five_columns_at_most(amount: float, unit: int) -> None:
    assert 1 <= len(figures.short(amount, unit)) <= 5


@pytest.mark.parametrize(
    ("dollars", "unpriced", "text"),
    [(0, 0, "$0.00"), (2.731, 0, "$2.73"), (0.0012, 0, "$0.0012"), (2.7, 3, "$2.70+"), (0, 3, "?")],
)
def test_a_cost_that_is_not_known_is_never_nothing(dollars: float, unpriced: int, text: str) -> None:
    assert figures.money(dollars, unpriced) == text


@given(st.lists(st.floats(-10, 1e12), max_size=40))
def test_bars_are_as_wide_as_asked(values: list[float]) -> None:
    assert len(figures.bars(values, 8)) == 8
