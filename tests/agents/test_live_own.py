"""An agent of one's own in a real container: fetched by its `npm` key, started, and started again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.agents.live_help import wait_until
from tests.agents.sources import Source, publish_package, served
from tests.agents.test_npm import npm_environ
from tests.standins.engine import Engine
from tests.standins.repository import make_repo

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed"),
]
PROGRAM = b"""#!/bin/sh
echo "$0 $*" >>"$HOME/calls"
"""
TABLE = """
[agents.mine]
npm = "my-agent"
version = "1.2.3"
command = ["my-agent", "--new", "{conversation}", "{prompt_file}"]
resume_command = ["my-agent", "--again={conversation}"]
"""


def test_its_package_is_mounted_and_it_is_started_again_with_its_conversation(
    engine: Engine, tmp_path: Path
) -> None:
    with served(Source()) as registry:
        publish_package(registry, "my-agent", "1.2.3", {"package/x": PROGRAM}, bin={"my-agent": "x"})
        engine.environ |= {k: v for k, v in npm_environ(registry, tmp_path).items() if k.startswith("npm_")}
        engine.configure(TABLE, image="clauderon-test:busybox")
        name, repo = engine.name(), make_repo(engine.root / "repo")
        engine.cli.ok("create", "--repo", str(repo), "--name", name, "--agent", "mine", "--prompt", "go")
    engine.cli("wait", name)
    session = engine.cli.ok("status", name, "--json").json["data"]
    engine.cli.ok("start", name)
    calls = engine.home.session_home(session["id"]) / "calls"
    wait_until(lambda: calls.read_text().count("\n") == 2, "the second start")
    program, talk = "/clauderon/agent/bin/my-agent", session["conversation"]
    assert calls.read_text().splitlines() == [
        f"{program} --new {talk} /clauderon/session/prompt",
        f"{program} --again={talk}",
    ]
