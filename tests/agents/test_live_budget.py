"""The real agents at a used-up budget: each stops, shows why, and goes on once it is raised, without a restart."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.agents.live_help import log_of, share_agents
from tests.agents.terminal import terminal
from tests.agents.test_live_more_agents import ASKED_FOR, image
from tests.standins.engine import Engine
from tests.standins.model_process import KEYS, ModelApi, model_api
from tests.standins.repository import make_repo

__all__ = ["image"]
pytestmark = [pytest.mark.live, pytest.mark.slow]

# An answer of the stand-in has 19 tokens, so 19 millionths of a dollar: the first one uses the budget up.
PRICES = '[prices."*"]\ninput = 1.0\noutput = 1.0\n'
BUDGET = "0.00001"


@pytest.fixture
def model(tmp_path: Path) -> Iterator[ModelApi]:
    with model_api(tmp_path / "model") as running:
        yield running


@pytest.fixture
def live(engine: Engine, model: ModelApi) -> Engine:
    engine.environ |= KEYS
    share_agents(engine)
    engine.configure(proxy=model.proxy_lines)
    config = engine.home.config
    config.write_text(f"{config.read_text()}\n{PRICES}")
    return engine


def refusals(live: Engine, name: str) -> int:
    lines = live.cli.ok("proxy", "log", "--session", name, "--json").text.splitlines()
    return sum(json.loads(line)["rule"] == "budget" for line in lines)


def until(condition: Callable[[], bool], shown: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, shown()
        time.sleep(0.3)


@pytest.mark.parametrize("agent", ["claude", "codex", *({"gemini"} & {*ASKED_FOR})])
def test_the_agent_stops_says_why_and_goes_on_when_the_budget_is_raised(
    live: Engine, model: ModelApi, image: str, agent: str
) -> None:
    """Seen with other statuses: Claude Code asked six times after 400, Codex ten times after 402 and 403."""
    checkout = make_repo(live.root / "repo")
    name = live.name(agent)
    words = (
        "create",
        "--repo",
        str(checkout),
        "--name",
        name,
        "--agent",
        agent,
        "--image",
        image,
        "--budget",
        BUDGET,
        "--prompt",
        "go",
    )
    live.cli.ok(*words)
    with terminal(live.cli.command("attach", name), live.environ) as person:
        assert person.shows("is used up"), bytes(person.shown)
        assert person.shows(f"clauderon budget {name}"), bytes(person.shown)
        time.sleep(3)  # what it asks beside the conversation
        stopped_at = refusals(live, name)
        time.sleep(5)
        assert stopped_at == refusals(live, name) <= 4
        assert len(model.turns()) <= 1
        live.cli.ok("budget", name, "none")
        person.type("turn 2 please")
        assert person.shows("turn 2 please"), bytes(person.shown)

        def answered() -> bool:
            person.type("\r")
            return any(fact["answer"] == "say" for fact in model.turns())

        until(answered, lambda: bytes(person.shown)[-2000:])
    assert live.cli.ok("stop", name)
    assert log_of(checkout, f"clauderon/{name}")[0] == "Add a greeting"
