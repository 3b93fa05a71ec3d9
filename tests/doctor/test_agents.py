"""The doctor looks at every `[agents.NAME] path`, and at what `npm` needs."""

from __future__ import annotations

import subprocess
from pathlib import Path

from clauderon import config
from clauderon.doctor import agents
from clauderon.paths import Home


def test_an_agents_path_that_is_no_program_is_a_failure(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "a codex"
    settings = config.load(home, {"CLAUDERON_AGENT_CODEX_PATH": str(file)})
    gone = agents.programs(settings, home, {})
    assert (gone.outcome, gone.found) == ("fail", f"[agents.codex] path: {file} is not a file")
    file.write_text("#!/bin/sh\n")
    closed = agents.programs(settings, home, {})
    assert (closed.outcome, closed.found) == ("fail", f"[agents.codex] path: {file} is not executable")
    subprocess.run(["sh", "-c", closed.mend], check=True)
    assert agents.programs(settings, home, {}).outcome == "ok"


def test_without_a_path_there_is_nothing_to_find(home: Home) -> None:
    assert agents.programs(config.defaults(), home, {}).outcome == "ok"


def test_an_agent_from_a_package_needs_npm(home: Home, tmp_path: Path) -> None:
    settings = config.load(home, {"CLAUDERON_AGENT_CODEX_NPM": "my-codex"})
    found = agents.programs(settings, home, {"PATH": str(tmp_path)})
    assert (found.outcome, found.mend.partition(" ")[0]) == ("fail", "apt-get")
    (tmp_path / "npm").write_text("#!/bin/sh\n")
    (tmp_path / "npm").chmod(0o755)
    assert agents.programs(settings, home, {"PATH": str(tmp_path)}).found == "codex: my-codex"
