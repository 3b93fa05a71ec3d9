"""What a report says of a session before its details."""

from __future__ import annotations

import pytest

from clauderon.report import facts
from clauderon.session.overview import Spent
from tests.report.told import a_story


@pytest.mark.parametrize(
    ("spent", "said"),
    [
        (Spent(), "no model was asked"),
        (Spent(1, 10, 0, 5, 10**9), "1 answer, 10 tokens in, 0 cached, 5 out, $1.00"),
    ],
)
def test_what_was_used_in_a_phrase(spent: Spent, said: str) -> None:
    assert facts.used(spent) == said


def test_answers_of_unknown_size_and_without_a_price_are_said() -> None:
    said = facts.used(Spent(requests=3, unknown=2, unpriced=1, input=1, output=1))
    assert "3 answers, 2 of unknown size" in said and said.endswith("?")


def test_stories_are_summed_field_by_field() -> None:
    one = a_story("x")
    assert facts.total([one, one, one]) == Spent(*(3 * value for value in one.about.spent))


def test_a_credential_is_named_with_its_hosts() -> None:
    assert [(fact.label, fact.value) for fact in facts.lent(a_story("word"))] == [("word", "word")]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "1970-01-01 00:00:00 UTC"),
        (9e99, "at no time"),
        (float("nan"), "at no time"),
        (-1e30, "at no time"),
    ],
)
def test_a_date_that_is_none_is_said(seconds: float, said: str) -> None:
    assert facts.clock(seconds) == said


def test_what_there_is_nothing_to_say_of_has_no_line() -> None:
    labels = [fact.label for fact in facts.facts(a_story("x"))]
    assert "Without protection" in labels and "State" in labels
    plain = a_story("x")
    bare = plain._replace(session=plain.session.changed(unsafe=()))
    assert "Without protection" not in [fact.label for fact in facts.facts(bare)]
