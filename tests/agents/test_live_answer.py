"""The real Codex by a path of the person's own: its tools work, and its JSON is taken apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from clauderon.agents import binary
from clauderon.agents.image import ImageFacts
from clauderon.config.schema import Agent
from tests.agents.live_help import log_of
from tests.agents.test_live_agents import checkout, live, model
from tests.standins.engine import Engine

__all__ = ["checkout", "live", "model"]
pytestmark = [pytest.mark.live, pytest.mark.slow]


def test_codex_by_its_path_has_its_tools_and_answers_in_json(live: Engine, checkout: Path) -> None:
    """With the file alone mounted it said that it has no tools, and ended with 0."""
    fetched = binary.ensure(
        live.home, Agent(name="codex"), ImageFacts(), environ=live.environ, progress=lambda *_: None
    )
    link = live.root / "bin-of-mine" / "codex"
    link.parent.mkdir()
    link.symlink_to(fetched / "bin/codex")
    live.environ["CLAUDERON_AGENT_CODEX_PATH"] = str(link)
    name = live.name("s")
    words = ("--repo", str(checkout), "--name", name, "--agent", "codex", "--print", "--json")
    done = live.cli("create", *words, "--prompt", "go")
    assert done.status == 0, done.error
    data = done.json["data"]
    assert data["result"].startswith("Done: turn 1"), data
    assert (data["exit_status"], data["turns"], data["cost_usd"]) == (0, 1, None)
    assert data["tokens"]["output"] > 0
    assert data["conversation"]
    assert log_of(checkout, f"clauderon/{name}")[0] == "Add a greeting"
