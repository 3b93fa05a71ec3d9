"""Sessions that were given what undoes their protection, and what a container may use of the disk."""

from __future__ import annotations

import time

import pytest

from tests.standins.engine import BUSYBOX, Engine

pytestmark = pytest.mark.live


def test_an_unsafe_session_is_marked_for_as_long_as_it_exists(engine: Engine) -> None:
    """Seen to fail without the call in `request.plan`: the session was made, with the machine's /etc at /host."""
    engine.scripted(image=BUSYBOX)
    engine.repo()
    words = (
        "create",
        "--repo",
        "repo",
        "--prompt",
        "x",
        "--name",
        engine.name("u"),
        "--volume",
        "/etc:/host:ro",
    )
    refused = engine.cli(*words)
    assert refused.status == 2 and "--unsafe" in refused.error and engine.containers() == []
    engine.cli.ok(*words, "--unsafe")
    listed = engine.cli.ok("list")
    assert "unsafe" in listed.text and "MARK" in listed.text
    [reason] = engine.cli.ok("status", engine.name("u"), "--json").json["data"]["unsafe"]
    assert "/etc" in reason
    [served] = engine.cli.ok("proxy", "status", "--json").json["data"]["sessions"]
    assert served["unsafe"] is True
    assert engine.inspect("u")["Config"]["Labels"]["clauderon.unsafe"] == "1"
    engine.cli.ok("refresh", engine.name("u"), "--pull-policy", "never")
    assert "unsafe" in engine.cli.ok("list").text


def test_a_log_without_end_has_one(engine: Engine) -> None:
    """Seen to fail without `--log-opt`, where 20 MB of output are 20 MB of log, and without `--ulimit`."""
    engine.configure(
        '[general]\ndefault_agent = "loud"\n[agents.loud]\ncommand = ["sh", "-c", '
        '"yes $(seq 1 200) | head -c 20000000; echo; ulimit -n; ulimit -c; echo end; exec sleep infinity"]\n',
        image=BUSYBOX, docker="log_max_mib = 4",
    )  # fmt: skip
    engine.repo()
    engine.create("loud")
    container = engine.container("loud")
    for _ in range(600):
        if "end" in engine.docker("logs", "--tail", "1", container):
            break
        time.sleep(0.1)
    else:
        raise AssertionError("it never ended")
    # All that the engine has: our own `logs` reads but its end.
    assert 1_000_000 < len(engine.docker("logs", container)) < 5_000_000
    assert engine.docker("logs", "--tail", "3", container).split()[-3:] == ["16384", "0", "end"]
