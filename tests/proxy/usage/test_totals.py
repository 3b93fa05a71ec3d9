"""Sums by API and model: bounded, and under names that are safe to show."""

from __future__ import annotations

from clauderon.proxy.usage.totals import _MOST_MODELS, OTHERS, Totals


def test_answers_are_summed_by_api_and_model() -> None:
    totals = Totals()
    for model, output in (("b", 1), ("a", 2), ("b", 4)):
        totals.add({"api": "anthropic", "model": model, "requests": 1, "output": output, "nano": "x"})
    assert [(api, model, sums["requests"], sums["output"], sums["nano"]) for api, model, sums in totals] == [
        ("anthropic", "a", 1, 2, 0),
        ("anthropic", "b", 2, 5, 0),
    ]


def test_a_crowd_of_names_is_counted_together_and_no_request_is_lost() -> None:
    totals = Totals()
    for number in range(_MOST_MODELS + 50):
        totals.add({"api": "x", "model": f"m{number}", "requests": 1})
    found = {model: sums["requests"] for _, model, sums in totals}
    assert len(found) == _MOST_MODELS + 1 and found[OTHERS] == 50


def test_a_name_is_one_short_line() -> None:
    totals = Totals()
    totals.add({"api": "x", "model": "\x1b[2J\n" + "y" * 1000})
    totals.add({"api": "x", "model": ""})
    names = [model for _, model, _ in totals]
    assert all(name.isprintable() and len(name) <= 100 for name in names) and "unknown" in names
