"""`usage`: the sums that a person reads, what has no price, and what is said where nothing was used."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from clauderon.paths import Home
from clauderon.usage_journal import Journal
from tests.standins.cli import Cli


@pytest.fixture
def used(home: Home) -> Home:
    journal = Journal(home)
    now = time.time()

    def note(name: str, model: str, nano: int, age_s: float = 0.0, **more: Any) -> None:
        journal.append(
            {
                "id": "x",
                "end": True,
                "worker": "w",
                "time": now - age_s,
                "session": f"{name}-id",
                "name": name,
                "team": "",
                "api": "anthropic",
                "model": model,
                "requests": 1,
                "input": 10,
                "output": 5,
                "nano": nano,
                **more,
            }
        )

    note("cheap", "small", 1_000_000)
    note("dear", "large", 2_500_000_000, cache_read=1000)
    note("dear", "new-model", 0, unpriced=1, age_s=3 * 86400)
    note("lost", "", 0, unknown=1, input=0, output=0)
    journal.append(
        {"api": "anthropic", "credential": "anthropic", "time": now, "windows": [["5-hour", 0.61, now + 60]]}
    )
    journal.close()
    return home


def test_a_line_a_session_the_dearest_first(cli: Cli, used: Home) -> None:
    answer = cli.ok("usage")
    lines = [line.split() for line in answer.text.splitlines()]
    assert lines[0] == ["SESSION", "REQUESTS", "INPUT", "CACHED", "OUTPUT", "COST", "UNKNOWN"]
    assert lines[1] == ["dear", "2", "20", "1000", "10", "$2.50", "+", "no", "price"]
    assert lines[2] == ["cheap", "1", "10", "0", "5", "$0.0010"]
    assert lines[3] == ["lost", "1", "0", "0", "0", "$0.00", "1"]
    assert lines[4][:2] == ["total", "4"]
    assert b"anthropic: 61% of the 5-hour window used, resets " in answer.err


def test_a_model_without_a_price_is_never_free(cli: Cli, used: Home) -> None:
    lines = {
        line.split("\t")[0]: line.split("\t")
        for line in cli.ok("usage", "--by", "model", "--format", "tsv").text.splitlines()
    }
    assert lines["new-model"][6] == "no price"
    assert lines["unknown"][6:] == ["$0.00", "1"]


def test_a_time_and_names_narrow_it(cli: Cli, used: Home) -> None:
    data = json.loads(cli.ok("usage", "dear", "--since", "1d", "--json").text)["data"]
    assert [(row["session"], row["requests"], row["cost"]) for row in data["rows"]] == [("dear", 1, 2.5)]
    assert data["total"]["output"] == 5
    assert [window["name"] for window in data["windows"]] == ["5-hour"]
    days = json.loads(cli.ok("usage", "--by", "day", "--json").text)["data"]["rows"]
    assert [row["day"] for row in days] == sorted(row["day"] for row in days)
    assert len(days) == 2


@pytest.mark.parametrize("words", [["--since", "yesterday"], ["--since", "-1d"], ["--by", "planet"]])
def test_what_cannot_be_meant_is_a_usage_error(cli: Cli, used: Home, words: list[str]) -> None:
    assert cli("usage", *words).status == 2


def test_a_misspelt_sum_is_answered_with_what_to_type(cli: Cli, used: Home) -> None:
    answer = cli("usage", "--by", "modle")
    assert answer.error == (
        "clauderon: --by modle: use session, model, day or group\nhint: clauderon usage --by model\n"
    )


def test_a_session_that_asked_no_model_is_said(cli: Cli, used: Home) -> None:
    answer = cli("usage", "nobody")
    assert (answer.status, answer.out) == (3, b"")


def test_nothing_used_is_no_error_and_leaves_no_file(cli: Cli, home: Home) -> None:
    answer = cli.ok("usage")
    assert (answer.out, answer.err) == (b"", b"No model was asked yet.\n")
    assert not home.usage.exists()
