"""What is shown of a session agrees exactly with what its agent did, counted apart from us: by the APIs and by git."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agents.live_help import log_of, wait_until
from tests.standins.engine import Engine
from tests.standins.model_process import KEYS, ModelApi, model_api

pytestmark = pytest.mark.live

# What the stand-in says of every answer, and a price of a millionth of a dollar a token.
INPUT, OUTPUT = 12, 7
PRICES = '[prices."*"]\ninput = 1.0\noutput = 1.0\n'
ASK = "curl -sSf -m 20 -o /dev/null -H 'content-type: application/json' --data"
MESSAGES = '\'{"model": "claude-x", "stream": %s, "messages": [{"role": "user", "content": "go"}]}\''
CHAT = '\'{"model": "m", "messages": [{"role": "user", "content": "go"}]}\''
RESPONSES = '\'{"model": "m", "stream": true, "input": [{"role": "user", "content": [{"type": "input_text", "text": "go"}]}]}\''
GEMINI = '\'{"contents": [{"role": "user", "parts": [{"text": "go"}]}]}\''
AGENT = rf"""
set -e
cd /workspace
for stream in true false true; do
    {ASK} {MESSAGES % "'$stream'"} https://api.anthropic.com/v1/messages
done
for _ in 1 2; do {ASK} {RESPONSES} https://api.openai.com/v1/responses; done
{ASK} {CHAT} https://api.openai.com/v1/chat/completions
{ASK} {GEMINI} https://generativelanguage.googleapis.com/v1beta/models/gemini-x:generateContent
curl -sSf -m 20 -o /dev/null https://api.anthropic.com/v1/models
for _ in 1 2; do curl -sS -m 20 -o /dev/null https://denied.example/x || :; done
for name in a b; do echo $name >$name && git add . && git commit -q -m "Add $name"; done
echo "waiting permission" >~/.clauderon/activity
"""
ANSWERS = {"/v1/messages": 3, "/v1/responses": 2, "/v1/chat/completions": 1, "gemini": 1}


@pytest.fixture
def model(tmp_path: Path) -> Iterator[ModelApi]:
    with model_api(tmp_path / "model") as running:
        yield running


def data(engine: Engine, *words: str) -> Any:
    return json.loads(engine.cli.ok(*words, "--json").text)["data"]


def test_a_count_of_ones_own_agrees_with_all_that_is_shown(engine: Engine, model: ModelApi) -> None:
    """Requests, tokens, dollars, refusals, commits and waits; seen to fail with one answer left out of the journal."""
    engine.environ |= KEYS
    engine.scripted(f'{PRICES}[network]\ndeny = ["denied.example"]\n', proxy=model.proxy_lines)
    repo = engine.repo()
    engine.create("a", "--group", "night")
    name = engine.name("a")
    before = data(engine, "status", name)["requests"]
    engine.inside("a", AGENT)
    engine.cli.ok("sync", name)

    # What the model APIs saw.
    seen = Counter(
        "gemini" if "gemini" in fact["path"] else fact["path"] for fact in model.seen() if fact.get("answer")
    )
    assert seen == ANSWERS
    answers = seen.total()
    told = [line for line in engine.cli.ok("events", "--json").text.splitlines() if name in line]
    wait_until(lambda: '"waiting"' in engine.cli.ok("events", "--json").text, "the wait")

    (used,) = data(engine, "usage", name)["rows"]
    assert (used["requests"], used["input"], used["output"]) == (answers, INPUT * answers, OUTPUT * answers)
    assert (used["unknown"], round(used["cost"] * 1e6)) == (0, (INPUT + OUTPUT) * answers)

    def shown() -> dict[str, Any]:
        (row,) = [one for one in data(engine, "list") if one["name"] == name]
        return dict(row)

    # The models' names, and what was refused, of which the second is written a moment later.
    wait_until(lambda: shown()["requests"] - before == answers + 1 + 2, "the last request")
    row = shown()
    assert (row["refusals"], row["ahead"], row["files"]) == (2, 2, 2)
    assert (row["tokens"], row["waiting_for"]) == ((INPUT + OUTPUT) * answers, "permission")
    assert log_of(repo, f"clauderon/{name}")[:2] == ["Add b", "Add a"]

    text = engine.cli.ok("report", name).text
    assert "Add a" in text and "Add b" in text and "denied.example" in text
    kinds = re.findall(r"\b(created|commit|refused|waiting|request)\b", text.partition("imeline")[2])
    assert set(kinds) == {"created", "commit", "refused", "waiting", "request"}
    assert told
