"""The doctor against a real engine: a healthy one, a firewall in the way, and its own remedy."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.standins.engine import DEBIAN, Engine

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
    # Other tests' engines are this one: what stands there and is nobody's is a warning.
    assert {row["outcome"] for name, row in found.items() if name != "container names"} == {"ok"}, found
    assert found["container names"]["outcome"] != "fail"
    assert "session port" in found["container to proxy"]["found"]
    assert "tunnel" in found["proxy"]["found"]
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


def test_a_container_in_a_sessions_way_is_named_with_the_command_that_moves_it(
    engine: Engine, session: str
) -> None:
    container = f"clauderon-{session}"
    engine.docker("rm", "-f", container)
    engine.docker("create", "--name", container, DEBIAN)
    engine.undo(lambda: engine.docker("rm", "-f", container, f"not-{container}", check=False))
    row = checks(engine, status=1)["container names"]
    assert (row["outcome"], row["mend"]) == ("fail", f"docker rename {container} not-{container}")
    engine.docker(*row["mend"].split()[1:])
    assert checks(engine)["container names"]["outcome"] != "fail"


@pytest.mark.skipif(os.getuid() != 0 or shutil.which("iptables") is None, reason="needs root and iptables")
def test_a_firewall_that_lets_the_main_port_alone_through_is_told(engine: Engine, session: str) -> None:
    network = engine.docker("network", "inspect", "--format", "{{.Id}}", engine.network)
    port = str(engine.cli.ok("list", "--json").json["data"][0]["port"])
    rule = ["INPUT", "-i", f"br-{network[:12]}", "-p", "tcp", "--dport", port, "-j", "DROP"]
    iptables("-I", *rule)
    engine.undo(lambda: iptables("-D", *rule))
    row = checks(engine, status=1)["container to proxy"]
    assert f"session port {port}: no answer" in row["found"]


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


def test_a_credential_inside_a_session_is_found_wherever_it_lies(engine: Engine, session: str) -> None:
    secret = "ghp_notarealtoken0123456789abcdefghij"
    engine.environ["GH_TOKEN"] = secret
    clean = engine.cli("doctor", "--leaks", session, "--json")
    assert (clean.status, clean.json["ok"]) == (0, True), repr(clean)
    assert {row["check"]: row["outcome"] for row in clean.json["data"]}["github"] == "ok"
    plant = f"echo {secret} >/tmp/here; printf %s {secret} | base64 -w 9 >notes; ln -s /{secret} /tmp/link"
    engine.cli.ok("exec", session, "--", "sh", "-c", plant)
    rows = {row["check"]: row for row in engine.cli("doctor", "--leaks", session, "--json").json["data"]}
    assert rows["github"]["outcome"] == "fail"
    for place in ("container:/tmp/here (plain)", "container:/tmp/link (plain)", "/notes (base64, in pieces)"):
        assert place in rows["github"]["found"]
    assert secret not in str(rows)


def test_the_clients_of_an_image_are_tried_against_the_proxy(engine: Engine, session: str) -> None:
    answer = engine.cli("doctor", "--tls", session, "--json")
    rows = {row["check"]: row["outcome"] for row in answer.json["data"]}
    assert {rows[name] for name in ("curl", "git", "openssl")} == {"ok"}, answer
