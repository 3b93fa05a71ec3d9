"""Sessions that were given what undoes their protection, and what a container may use of the disk."""

from __future__ import annotations

import pytest

from tests.standins.engine import BUSYBOX, Engine

pytestmark = pytest.mark.live


def test_an_unsafe_session_is_marked_for_as_long_as_it_exists(engine: Engine) -> None:
    """Fails without the call in `request.plan`: the container then had the machine's root at /host."""
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
    """Fails without `--log-opt`: 20 MB of output were 20 MB of log."""
    engine.configure(
        '[general]\ndefault_agent = "loud"\n[agents.loud]\ncommand = ["sh", "-c", '
        '"yes $(seq 1 200) | head -c 20000000; ulimit -n; ulimit -c; echo end; exec sleep infinity"]\n',
        image=BUSYBOX, docker="log_max_mib = 4",
    )  # fmt: skip
    engine.repo()
    engine.create("loud")
    name = engine.name("loud")
    for _ in range(200):
        logged = engine.cli.ok("logs", name)
        if "end" in logged.text[-40:]:
            break
    else:
        raise AssertionError("it never ended")
    assert 1_000_000 < len(logged.out) < 5_000_000
    assert logged.text.split()[-3:] == ["16384", "0", "end"]
