"""Times as they are typed and said back, and what is replaced in a command."""

from __future__ import annotations

import pytest
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


VALUES = {"prompt_file": "/p", "conversation": "c"}


@pytest.mark.parametrize(
    ("word", "filled"),
    [
        ("{prompt_file}", "/p"),
        ("--from={prompt_file}:{conversation}", "--from=/p:c"),
        ("{{conversation}} {conversation}", "{conversation} c"),
        # The shell's own, and what is no name.
        ("echo ${HOME} ${home} {a,b} {} {1..3}", "echo ${HOME} ${home} {a,b} {} {1..3}"),
        ('{"a": {"b": 1}}', '{"a": {"b": 1}}'),
    ],
)
def test_placeholders_are_replaced_and_nothing_else(word: str, filled: str) -> None:
    assert grammar.fill(word, VALUES) == filled


@pytest.mark.parametrize("word", ["{promptfile}", "awk {print}", "x{conversation}{id}"])
def test_a_placeholder_that_nobody_fills_is_refused(word: str) -> None:
    """It would reach the program as it is, which has a file of that name then, or none."""
    with pytest.raises(ValueError, match=r"is not replaced, only \{prompt_file\} and \{conversation\} are"):
        grammar.fill(word, VALUES)


@given(st.text())
def test_a_value_is_not_searched_for_placeholders(value: str) -> None:
    assert grammar.fill("a{prompt_file}b", {"prompt_file": value}) == f"a{value}b"


@pytest.mark.parametrize(("number", "words"), [(0, "0 commits"), (1, "1 commit"), (2, "2 commits")])
def test_a_number_and_its_noun(number: int, words: str) -> None:
    assert grammar.counted(number, "commit") == words
