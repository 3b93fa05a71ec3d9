"""`refresh` changes the image and nothing else, and whatever comes in between, the session goes on."""

from __future__ import annotations

import json
import socket

import pytest

from tests.live.test_kill import MOST_CALLS, Struck
from tests.standins.engine import BUSYBOX, Engine

pytestmark = pytest.mark.live


@pytest.fixture
def struck(engine: Engine) -> Struck:
    return Struck(engine)


def state(engine: Engine, word: str) -> str:
    rows = engine.cli.ok("list", "--json").json["data"]
    return str(next(row["state"] for row in rows if row["name"] == engine.name(word)))


def is_running(engine: Engine, word: str) -> bool:
    return bool(engine.inspect(word)["State"]["Running"])


def test_a_session_with_the_name_of_anothers_old_container_is_no_obstacle(engine: Engine) -> None:
    engine.scripted(image=BUSYBOX)
    engine.repo()
    engine.create("fix")
    engine.create("fix-replaced")
    before = engine.inspect("fix-replaced")["Id"]
    engine.cli.ok("refresh", engine.name("fix"), "--pull-policy", "never")
    assert engine.inspect("fix-replaced")["Id"] == before
    assert is_running(engine, "fix") and is_running(engine, "fix-replaced")


def test_a_stopped_session_stays_stopped(engine: Engine) -> None:
    engine.scripted(image=BUSYBOX)
    engine.repo()
    engine.create("s")
    before = engine.inspect("s")["Id"]
    engine.cli.ok("stop", engine.name("s"))
    engine.cli.ok("refresh", engine.name("s"), "--pull-policy", "never")
    assert engine.inspect("s")["Id"] != before
    assert not is_running(engine, "s")
    engine.cli.ok("start", engine.name("s"))
    assert engine.inside("s", "cat src/hello.txt") == "hello"


def test_everything_that_create_was_told_is_kept(engine: Engine) -> None:
    engine.scripted(image=BUSYBOX)
    engine.repo()
    with socket.socket() as free:  # one of the proxy's own would be refused
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    engine.create(
        "all", "--cpu-limit", "0.5", "--memory-limit", "64m", "--access-mode", "read-only", "--env", "A=b c",
        "--volume", f"{engine.root}/given:/mnt/given:ro", "--publish", f"127.0.0.1:{port}:80", "--allow",
        "api.example.com", "--pull-policy", "never", prompt="don't $(reboot)\n",
    )  # fmt: skip
    name = engine.name("all")
    before, status = engine.inspect("all"), engine.cli.ok("status", name, "--json").json["data"]
    engine.cli.ok("refresh", name)
    after, now = engine.inspect("all"), engine.cli.ok("status", name, "--json").json["data"]
    assert after["Id"] != before["Id"]
    changing = {
        "container_id",
        "age",
        "activity",
        "doing",
        "last_activity",
    }  # a container begins anew: its agent waits
    assert {k: v for k, v in now.items() if k not in changing} == {
        k: v for k, v in status.items() if k not in changing
    }
    assert now["container_id"] == after["Id"]
    assert after["HostConfig"] == before["HostConfig"]
    assert sorted(after["Config"]["Env"]) == sorted(before["Config"]["Env"])
    for key in ("Cmd", "Entrypoint", "User", "WorkingDir", "Hostname", "Tty", "OpenStdin", "Image"):
        assert after["Config"][key] == before["Config"][key], key
    records = [json.loads(one["Config"]["Labels"]["clauderon.spec"]) for one in (before, after)]
    for record in records:
        del record["state"], record["step"], record["updated_at"]
    assert records[0] == records[1]
    mounts = [sorted(one["Mounts"], key=lambda m: m["Destination"]) for one in (before, after)]
    for mount in (mount for own in mounts for mount in own if mount["Destination"] == "/clauderon/objects/0"):
        mount.pop("Name", None), mount.pop("Source")  # the overlay is each container's own
    assert mounts[0] == mounts[1]
    network = engine.network
    addresses = [one["NetworkSettings"]["Networks"][network]["IPAddress"] for one in (before, after)]
    assert addresses[0] == addresses[1]
    # --pull-policy never was kept too: the default of refresh would have asked a registry for a test image.
    assert engine.inside("all", "cat /clauderon/session/prompt") == "don't $(reboot)"


def test_a_container_of_somebody_elses_is_left_alone(engine: Engine) -> None:
    engine.scripted(image=BUSYBOX)
    engine.repo()
    engine.create("f")
    engine.docker("rm", "-f", engine.container("f"))
    foreign = engine.docker("run", "-d", "--name", engine.container("f"), BUSYBOX, "sleep", "1000")
    engine.undo(lambda: engine.docker("rm", "-f", foreign, check=False))
    answer = engine.cli("refresh", engine.name("f"), "--pull-policy", "never")
    assert answer.status == 5, answer
    assert f"a container named {engine.container('f')} is in the way" in answer.error
    assert engine.inspect("f")["Id"] == foreign and is_running(engine, "f")
    assert state(engine, "f") == "missing"


@pytest.mark.slow
@pytest.mark.parametrize("signal", ["INT", "TERM"])
def test_refresh_interrupted_at_any_call_leaves_the_session_running(struck: Struck, signal: str) -> None:
    engine = struck.engine
    engine.create("r")
    for at in range(1, MOST_CALLS):
        status = struck.run("refresh", engine.name("r"), "--pull-policy", "never", at=at, signal=signal)
        where = f"{signal} at call {at}: {struck.faults.struck}"
        if struck.faults.struck is None:
            assert status == 0
            break
        assert status in (0, {"INT": 130, "TERM": 143}[signal]), where
        if struck.states() != {engine.name("r"): "running"}:
            # A docker that takes longer than `calling.SETTLE_S` to answer leaves the undoing to the next command.
            engine.cli.ok("reconcile")
        assert engine.containers() == [engine.container("r")], where
        assert is_running(engine, "r"), where
        assert struck.states() == {engine.name("r"): "running"}, where
    else:
        raise AssertionError("refresh makes no end of calls")


@pytest.mark.slow
def test_a_stopped_session_whose_refresh_is_killed_stays_stopped(struck: Struck) -> None:
    engine = struck.engine
    engine.create("r")
    engine.cli.ok("stop", engine.name("r"))
    for at in range(1, MOST_CALLS):
        struck.run("refresh", engine.name("r"), "--pull-policy", "never", at=at)
        where = f"killed at call {at}: {struck.faults.struck}"
        engine.cli.ok("reconcile")
        assert engine.containers() == [engine.container("r")], where
        assert not is_running(engine, "r"), where
        if struck.faults.struck is None:
            break
    else:
        raise AssertionError("refresh makes no end of calls")
