"""`create --print` killed by KILL: no `docker attach` stays, and an agent that waits for a listener is seen and begun."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.standins.engine import BUSYBOX, Engine

pytestmark = pytest.mark.live

# Kills its caller instead of listening to an agent; is docker for everything else.
KILLING = """#!/bin/sh
case " $* " in *" attach "*) kill -KILL $PPID; exit 1 ;; esac
exec {docker} "$@"
"""


def eventually(holds: Callable[[], bool], within_s: float = 20.0) -> bool:
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def attached_to(name: str) -> list[str]:
    """The processes of docker that listen to a session."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = each.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"attach" in words and f"clauderon-{name}".encode() in words:
            found.append(str(each))
    return found


@pytest.fixture
def stage(engine: Engine) -> Engine:
    engine.scripted(image=BUSYBOX)
    engine.repo()
    return engine


def create(stage: Engine, prompt: str) -> list[str]:
    return stage.cli.command(
        "create", "--repo", "repo", "--name", stage.name("a"), "--print", "--prompt", prompt
    )


def killed_before_it_listened(stage: Engine, prompt: str) -> None:
    docker = subprocess.run(
        ["sh", "-c", "command -v docker"], env=stage.environ, capture_output=True, text=True, check=True
    ).stdout.strip()
    here = stage.root / "killing"
    here.mkdir()
    (here / "docker").write_text(KILLING.format(docker=docker))
    (here / "docker").chmod(0o755)
    env = {**stage.environ, "PATH": f"{here}:{stage.environ['PATH']}"}
    killed = subprocess.run(create(stage, prompt), env=env, cwd=stage.root, capture_output=True, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert [row["state"] for row in stage.cli.ok("list", "--json").json["data"]] == ["interrupted"]


def test_an_agent_whose_listener_was_killed_before_it_began_is_seen_and_begun(stage: Engine) -> None:
    """`list` said `running`, reconcile found nothing, and the agent waited for ever. An agent that ended at once with
    4 was "docker failed with status 4" afterwards: seen to fail where the status of `attach` was docker's."""
    name = stage.name("a")
    killed_before_it_listened(stage, "echo done >made; exit 4")
    rows = stage.cli.ok("reconcile", "--json").json["data"]
    assert [(row["name"], row["action"]) for row in rows] == [(name, "begun")]
    assert eventually((stage.home.worktree(name) / "made").exists)
    assert eventually(lambda: stage.cli.ok("list", "--json").json["data"][0]["state"] == "failed")
    assert stage.cli.ok("reconcile", "--json").json["data"] == []
    assert attached_to(name) == []


@pytest.mark.parametrize("door", [("wait",), ("logs", "-f")])
def test_whoever_waits_for_such_an_agent_has_it_begin(stage: Engine, door: tuple[str, ...]) -> None:
    """Seen to fail where only what changes something had it begin: both waited for ever, and said nothing."""
    name = stage.name("a")
    killed_before_it_listened(stage, "echo done; exit 4")
    words = stage.cli.command(*door, name)
    said = subprocess.run(
        words, env=stage.environ, cwd=stage.root, capture_output=True, text=True, timeout=30
    )
    assert (said.returncode, said.stdout.split()[-1:]) == ((4, ["4"]) if door == ("wait",) else (0, ["done"]))
    assert f"The agent of {name}, whose create --print was killed, has begun." in said.stderr


def test_docker_attach_ends_with_a_create_that_is_killed(stage: Engine) -> None:
    """Seen to fail with TERM as the signal of the parent's death: `docker attach` was still there 5 s later."""
    name = stage.name("a")
    child = subprocess.Popen(
        create(stage, "echo on >begun; sleep 60"), env=stage.environ, cwd=stage.root,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert eventually((stage.home.worktree(name) / "begun").exists)
    assert attached_to(name)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert eventually(lambda: attached_to(name) == [], 5)
    assert [row["state"] for row in stage.cli.ok("list", "--json").json["data"]] == ["running"]
