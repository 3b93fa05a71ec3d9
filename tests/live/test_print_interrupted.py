"""One Ctrl-C at `create --print`: what it does is said at once, and done."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from tests.standins.engine import BUSYBOX, Engine

pytestmark = pytest.mark.live


def test_what_a_ctrl_c_does_is_said_before_it_is_done(engine: Engine) -> None:
    """The agent takes three seconds to end; our words come while it still runs.

    Seen to fail with the words after `container_stop`: the container had ended by then.
    """
    engine.scripted(image=BUSYBOX)
    engine.repo()
    name = engine.name("d")
    script = "trap 'sleep 3; echo ended; exit 0' TERM; echo here; while :; do sleep 0.1; done"
    argv = engine.cli.command("create", "--repo", "repo", "--name", name, "--print", "--prompt", script)
    with subprocess.Popen(
        argv,
        env=engine.environ,
        cwd=engine.root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as child:
        assert child.stdout is not None and child.stderr is not None
        assert child.stdout.readline() == b"here\n"
        os.killpg(child.pid, signal.SIGINT)
        said = child.stderr.readline()
        while b"Stopping" not in said and said:
            said = child.stderr.readline()
        assert said.decode() == f"Stopping {name}; its work is kept. hint: clauderon start {name}\n"
        assert engine.inspect("d")["State"]["Running"]
        assert child.wait(60) == 130
    assert not engine.inspect("d")["State"]["Running"]
