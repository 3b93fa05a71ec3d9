"""The benchmark's arithmetic: medians, ratios, and when a target counts as met."""

from __future__ import annotations

from bench.figures import Row, Target, as_json, cell, table, verdict

OURS = "clauderon"


def row(target: Target | None = None, limit: float | None = None, **samples: list[float]) -> Row:
    return Row("a thing", "ms", target, limit, dict(samples))


def test_the_ratio_is_of_medians_so_that_one_wild_sample_does_not_count() -> None:
    measured = row(Target("squid", 0.75), clauderon=[1, 2, 90], squid=[4, 4, 0.1])
    assert measured.ratio(OURS) == 0.5
    assert measured.met(OURS) is True


def test_a_target_can_ask_for_more_or_for_less() -> None:
    assert row(Target("squid", 2, at_least=True), clauderon=[4], squid=[2]).met(OURS) is True
    assert row(Target("squid", 2, at_least=True), clauderon=[3.9], squid=[2]).met(OURS) is False
    assert row(Target("squid", 2), clauderon=[4.1], squid=[2]).met(OURS) is False


def test_a_limit_is_judged_without_anybody_to_compare_with() -> None:
    assert row(limit=120, clauderon=[119, 121, 119]).met(OURS) is True
    assert row(limit=120, clauderon=[119, 121, 121]).met(OURS) is False


def test_a_missing_contender_is_no_verdict_either_way() -> None:
    measured = row(Target("squid", 2), clauderon=[1])
    assert measured.ratio(OURS) is None
    assert measured.met(OURS) is None
    assert row(Target("squid", 2), squid=[1]).met(OURS) is None


def test_a_cell_shows_the_median_and_the_spread() -> None:
    assert cell([3, 1, 2]) == "2.00 (1.00-3.00)"
    assert cell([12345.6]) == "12,346"
    assert cell(None) == "-"


def test_the_table_has_a_column_for_everybody_and_marks_what_was_missed() -> None:
    text = table([row(Target("squid", 2, at_least=True), clauderon=[3], squid=[2])], ["squid", OURS], OURS)
    head, rule, line = text.splitlines()
    assert [part.strip() for part in head.split("|")[1:-1]] == ["", "squid", OURS, "ratio", "target"]
    assert set(rule) <= set("|- ")
    assert line.rstrip("| ").endswith("≥ 2x NO")
    assert "1.50x" in line


def test_json_carries_every_sample() -> None:
    (entry,) = as_json([row(Target("squid", 2), clauderon=[1, 2], squid=[1])], OURS)
    assert entry["samples"] == {"clauderon": [1, 2], "squid": [1]}
    assert entry["ratio"] == 1.5
    assert entry["met"] is True


def test_a_row_can_be_held_against_several_contenders() -> None:
    one = row(Target("squid", 1, at_least=True), squid=[10.0], relay=[20.0], clauderon=[16.0])
    one.others = (Target("relay", 0.85, at_least=True), Target("nobody", 1))
    assert one.met(OURS) is False
    assert verdict(one, OURS) == ("1.60x", "≥ 1x, ≥ 0.85x relay (0.80x) NO")
    one.samples["relay"] = [18.0]
    assert one.met(OURS) is True
