"""Times as they are typed, and as they are said back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clauderon import grammar


@given(st.floats(min_value=0.1, max_value=1e7).map(lambda value: round(value, 3)) | st.integers(1, 10**7))
def test_a_time_is_said_as_it_may_be_typed(value: float) -> None:
    """Seen to fail with the first unit that fits instead of the one that is whole."""
    assert grammar.seconds(grammar.seconds_text(value)) == value


def test_a_time_is_said_in_whole_units() -> None:
    """Seen to fail with seconds alone."""
    assert [grammar.seconds_text(value) for value in (0.5, 90, 5400, 7200, 172800)] == [
        "0.5s", "90s", "90m", "2h", "2d",
    ]  # fmt: skip
