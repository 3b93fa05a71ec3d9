"""Claude Code: what is run, and what it prints taken apart."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clauderon.agents import answer
from clauderon.config.schema import Agent
from clauderon.errors import UsageError
from clauderon.known.agents import claude
from clauderon.known.answers import Answer
from clauderon.record import Session
from tests.known.starts import commands

Make = Callable[..., Session]
Find = Callable[[str], Agent]
PRINTED = Path(__file__).parent / "printed"


def read(output: str) -> Answer:
    return answer.read(Agent(name="claude"), output)


def test_claude_skips_permissions_unless_told_otherwise(session: Make, agent: Find) -> None:
    first, resume = commands(session(), agent("claude"))
    assert "--dangerously-skip-permissions" in first
    assert "--dangerously-skip-permissions" in resume


def test_plan_takes_the_place_of_the_permission_mode(session: Make, agent: Find) -> None:
    first, _ = commands(session(plan=True), agent("claude"))
    assert "--permission-mode plan" in first
    assert "--dangerously-skip-permissions" not in first


def test_further_arguments_reach_print_and_the_budget_is_the_proxys(session: Make, agent: Find) -> None:
    """An agent that keeps the budget itself would not go on when it is raised."""
    row = session(print_mode=True, budget="2.50", agent_args=("--output-format", "json", "--x=it's"))
    words = shlex.split(commands(row, agent("claude"))[0])
    assert "2.50" not in " ".join(words)
    assert words[words.index("--output-format") + 1] == "json"
    assert "--x=it's" in words


# Its model was the stand-in, with 12 tokens in and 7 out a question.
@pytest.mark.parametrize("around", ["{}", "a warning\n{}", "{{not json\n{}trailing words\n"])
def test_its_own_json_becomes_the_row(around: str) -> None:
    """Printed by Claude Code 2.1.332."""
    found = read(around.format((PRINTED / "claude.json").read_text())).row()
    assert found.pop("agent_result")
    assert found == {
        "result": "Done: turn 1 is committed. ",
        "cost_usd": 0.000376,
        "tokens": {"input": 24, "output": 14, "cached": 0},
        "turns": 2,
        "conversation": "06406cb6-bea5-42d5-85bb-17e468fedb09",
    }


CACHED = {"inputTokens": 5, "outputTokens": 2, "cacheReadInputTokens": 100, "cacheCreationInputTokens": 10}


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        ({"modelUsage": {"a": CACHED, "b": CACHED}}, {"input": 230, "output": 4, "cached": 200}),
        (
            {"usage": {"input_tokens": 5, "output_tokens": 2, "cache_read_input_tokens": 100}},
            {"input": 105, "output": 2, "cached": 100},
        ),
    ],
)
def test_cached_tokens_are_a_part_of_the_input(body: dict[str, object], tokens: dict[str, int]) -> None:
    """Claude Code gives them apart."""
    assert read(json.dumps({"result": "x", **body})).tokens == tokens


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ('{"type": "result", "subtype": "error_max_turns", "is_error": true}', ""),
        ('{"type": "result", "errors": ["no credit"]}', "no credit"),
    ],
)
def test_when_it_failed_its_reason_is_the_result(output: str, text: str) -> None:
    assert read(output).text == text


def test_of_two_answers_the_last_one_is_the_result() -> None:
    """A print session that was stopped and started again has printed both."""
    assert read('{"result": "first"}\n{"result": "second"}\n').text == "second"


def hooked(settings: dict[str, Any], event: str) -> list[str]:
    return [hook["command"] for entry in settings["hooks"].get(event, []) for hook in entry["hooks"]]


def test_hooks_of_the_person_come_after_ours(tmp_path: Path) -> None:
    (tmp_path / "Stop.sh").write_text("echo")
    (tmp_path / "Stop.d").mkdir()
    for name in ("10-first", "20 second", ".hidden", "backup~"):
        (tmp_path / "Stop.d" / name).write_text("#!/bin/sh\n")
    (tmp_path / "Stop.d" / "10-first").chmod(0o755)
    (tmp_path / "notes.txt").write_text("")
    inside = "/workspace/.clauderon/hooks"
    settings = claude.settings(tmp_path)
    assert hooked(settings, "Stop")[1:] == [
        f"{inside}/Stop.d/10-first",
        f"sh '{inside}/Stop.d/20 second'",
        f"sh {inside}/Stop.sh",
    ]
    assert "notes" not in str(settings)


def test_hooks_in_claude_codes_own_form_are_taken_as_they_are(tmp_path: Path) -> None:
    entry = {"matcher": "Bash", "hooks": [{"type": "command", "command": "true", "timeout": 5}]}
    (tmp_path / "hooks.json").write_text(json.dumps({"hooks": {"PreToolUse": [entry]}}))
    assert claude.settings(tmp_path)["hooks"]["PreToolUse"][1:] == [entry]


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"hooks": []}', '{"hooks": {"Stop": {}}}'])
def test_a_hooks_file_that_cannot_be_read_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "hooks.json").write_text(text)
    with pytest.raises(UsageError, match=r"hooks\.json"):
        claude.settings(tmp_path)


def test_without_hooks_only_ours_are_there(tmp_path: Path) -> None:
    assert hooked(claude.settings(tmp_path / "missing"), "Stop") == [
        "echo waiting answer >/clauderon/home/.clauderon/activity"
    ]
