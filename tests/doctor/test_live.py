"""The doctor against a real engine: a healthy one, a firewall in the way, and its own remedy."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.standins.engine import Engine

AGENT = """\
[general]
default_agent = "scripted"
[agents.scripted]
command = ["sh", "-c", "exec sleep infinity"]
print_command = ["sh", "{prompt_file}"]
"""

pytestmark = pytest.mark.live


@pytest.fixture
def session(engine: Engine, repo: Path) -> str:
    """A session that stands, so that network, image and proxy do too."""
    engine.configure(AGENT)
    name = engine.name()
    engine.cli.ok("create", "--repo", str(repo), "--name", name, "--prompt", "Fix the bug")
    return name


def checks(engine: Engine, status: int = 0) -> dict[str, dict[str, Any]]:
    answer = engine.cli("doctor", "--json")
    assert answer.status == status, repr(answer)
    return {row["check"]: row for row in answer.json["data"]}


def test_a_healthy_machine_has_nothing_to_mend(engine: Engine, session: str) -> None:
    found = checks(engine)
    assert {row["outcome"] for row in found.values()} == {"ok"}, found
    assert "reaches port" in found["container to proxy"]["found"]


def test_a_container_of_nobody_is_an_orphan_that_reconcile_takes_in(
    engine: Engine, session: str, git: Callable[..., str]
) -> None:
    for file in engine.home.root.glob("clauderon.db*"):
        file.unlink()
    row = checks(engine)["orphans"]
    assert (row["outcome"], row["mend"]) == ("warn", "clauderon reconcile")
    assert session in row["found"]
    engine.cli.ok(*row["mend"].split()[1:])
    assert checks(engine)["orphans"]["outcome"] == "ok"


def iptables(*words: str) -> None:
    subprocess.run(["iptables", *words], check=True, capture_output=True)


@pytest.mark.skipif(os.getuid() != 0 or shutil.which("iptables") is None, reason="needs root and iptables")
def test_a_firewall_in_the_way_is_told_from_a_closed_port_and_opened(engine: Engine, session: str) -> None:
    network = engine.docker("network", "inspect", "--format", "{{.Id}}", engine.network)
    rule = ["INPUT", "-i", f"br-{network[:12]}", "-p", "tcp", "--dport", str(engine.proxy_port), "-j", "DROP"]
    iptables("-I", *rule)
    engine.undo(lambda: iptables("-D", *rule))
    row = checks(engine, status=1)["container to proxy"]
    assert "firewall" in row["found"]
    mend = row["mend"].removeprefix("sudo ")
    if not mend.startswith("iptables"):
        pytest.skip(f"this machine's firewall is another: {mend}")
    subprocess.run(mend.split(), check=True)
    engine.undo(lambda: iptables("-D", *mend.split()[2:]))
    assert checks(engine)["container to proxy"]["outcome"] == "ok"


def test_a_proxy_that_was_stopped_is_named_with_the_command_that_starts_it(
    engine: Engine, session: str
) -> None:
    engine.cli.ok("proxy", "stop")
    found = checks(engine)
    assert (found["proxy"]["outcome"], found["proxy"]["mend"]) == ("warn", "clauderon proxy start")
    engine.cli.ok(*found["proxy"]["mend"].split()[1:])
    assert checks(engine)["container to proxy"]["outcome"] == "ok"
