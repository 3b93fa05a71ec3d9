"""The small parts: channel, addresses to listen on, the lock, who is on a port, the branch watch."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies

from clauderon import proc
from clauderon.airlock.layout import host_side
from clauderon.paths import Home
from clauderon.proxy.daemon import addresses as listeners
from clauderon.proxy.daemon import branch_watch, channel, lockfile
from clauderon.proxy.daemon.addresses import Place
from tests.proxy.service_rig import eventually

NATIVE = {"gateway": "172.30.0.1", "subnet": "172.30.0.0/16", "native": True}


@given(
    strategies.lists(
        strategies.tuples(
            strategies.dictionaries(strategies.text(), strategies.text()), strategies.integers(0, 3)
        )
    )
)
@settings(max_examples=30)
def test_messages_and_descriptors_arrive_in_order(messages: list[tuple[dict[str, str], int]]) -> None:
    ours, theirs_socket = channel.pair()
    theirs = channel.Channel(theirs_socket)
    try:
        received: list[tuple[dict[str, str], int]] = []
        for body, count in messages:
            pipes = [os.pipe() for _ in range(count)]
            ours.send("x", [read for read, _ in pipes], body=body)
            for number, (read, write) in enumerate(pipes):
                os.write(write, bytes([number]))
                os.close(write)
                os.close(read)
            for message, descriptors in theirs.receive(10):
                received.append((message["body"], len(descriptors)))
                for number, descriptor in enumerate(descriptors):
                    assert os.read(descriptor, 2) == bytes([number])
                    assert not os.get_inheritable(descriptor)
                    os.close(descriptor)
        assert received == messages
    finally:
        ours.close()
        theirs.close()


def test_a_message_larger_than_any_buffer_arrives_whole() -> None:
    import threading

    ours, theirs_socket = channel.pair()
    theirs = channel.Channel(theirs_socket)
    text = "x" * 2_000_000
    sending = threading.Thread(target=ours.send, args=("x",), kwargs={"text": text})
    sending.start()
    received = []
    while not received:
        received = theirs.receive(10)
    sending.join()
    assert received[0][0]["text"] == text
    ours.close()
    with pytest.raises(channel.Closed):
        theirs.receive(10)
    theirs.close()


def test_a_native_engine_is_served_at_its_gateways_only() -> None:
    second = {**NATIVE, "gateway": "172.31.0.1", "subnet": "172.31.0.0/24"}
    found = listeners.addresses([NATIVE, second, NATIVE])
    assert found.main == ("127.0.0.1", "::1", "172.30.0.1", "172.31.0.1")
    assert found.session == ("172.30.0.1", "172.31.0.1")


def test_an_engine_elsewhere_is_served_at_loopback() -> None:
    assert listeners.addresses([]).session == ("127.0.0.1",)
    own = {**NATIVE, "session": "0123456789ab", "gateway": "198.18.0.1", "subnet": "198.18.0.0/29"}
    both = listeners.addresses([NATIVE, own])
    assert both.of("0123456789ab") == ("198.18.0.1",) and both.of("another") == (NATIVE["gateway"],)
    assert "198.18.0.1" not in both.main
    assert listeners.addresses([{**NATIVE, "native": False}]).session == ("127.0.0.1",)
    assert listeners.addresses([{**NATIVE, "native": False}]).main == ("127.0.0.1", "::1")


@pytest.mark.parametrize(
    "gateway", ["0.0.0.0", "::", "", "example.com", "8.8.8.8", "224.0.0.1", "127.0.0.1", "0"]
)
def test_no_other_address_is_ever_listened_on(gateway: str) -> None:
    found = listeners.addresses([{**NATIVE, "gateway": gateway}])
    assert found == (("127.0.0.1", "::1"), ("127.0.0.1",), {})


def test_a_gateway_whose_bridge_is_not_up_yet_can_be_listened_on() -> None:
    if sys.platform != "linux":
        pytest.skip("IP_FREEBIND is Linux's")
    # TEST-NET-1: on no machine.
    with contextlib.closing(listeners.open_socket(Place("192.0.2.77", 0))) as sock:
        assert sock.getsockname()[0] == "192.0.2.77"


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_the_owner_of_a_port_is_found(address: str) -> None:
    try:
        sock = listeners.open_socket(Place(address, 0))
    except OSError as error:
        if listeners.optional(Place(address, 0), error):
            pytest.skip("no IPv6 here")
        raise
    with contextlib.closing(sock):
        found = listeners.owner(Place(address, sock.getsockname()[1]))
    assert found.endswith(f"(pid {os.getpid()})")
    assert listeners.owner(Place(address, sock.fileno())) == ""


def test_a_wildcard_listener_is_in_the_way_of_every_address() -> None:
    with contextlib.closing(socket.socket()) as sock:
        sock.bind(("0.0.0.0", 0))
        sock.listen()
        place = Place("127.0.0.1", sock.getsockname()[1])
        with pytest.raises(OSError) as caught:
            listeners.open_socket(place)
        assert f"(pid {os.getpid()})" in listeners.explain(place, caught.value)


def test_the_lock_is_held_by_one_and_freed_by_death(home: Home) -> None:
    assert lockfile.holder(home) is None
    script = (
        "import sys, time; from pathlib import Path; from clauderon.paths import Home\n"
        "from clauderon.proxy.daemon import lockfile\n"
        "lock = lockfile.acquire(Home(Path(sys.argv[1]))); lock.write({'pid': 1, 'note': 'x' * 100}); lock.write({'pid': 2})\n"
        "print('held', flush=True); time.sleep(600)"
    )
    child = subprocess.Popen([sys.executable, "-c", script, str(home.root)], stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None and child.stdout.readline() == b"held\n"
        assert lockfile.holder(home) == {"pid": 2}
        assert lockfile.acquire(home) is None
    finally:
        child.kill()
        child.communicate()
    assert lockfile.holder(home) is None
    assert lockfile.acquire(home) is not None


def test_a_second_service_does_not_wait_to_take_the_firsts_place(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would come up when the first is told to stop."""
    first = lockfile.acquire(home)

    def wait(_seconds: float) -> None:
        raise AssertionError("it waits")

    monkeypatch.setattr(lockfile.time, "sleep", wait)
    assert first is not None and lockfile.acquire(home) is None


def test_a_reader_of_the_lock_is_waited_for(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = os.open(home.locks / "proxy.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(reader, fcntl.LOCK_SH)
    monkeypatch.setattr(lockfile.time, "sleep", lambda _seconds: os.close(reader))
    assert lockfile.acquire(home) is not None


class Syncs:
    """Stands in for the process boundary: what would be started, and children that end when told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.started: list[str] = []
        self.children: list[Syncs.Child] = []
        self.tips: dict[str, str | None] = {}
        monkeypatch.setattr(proc, "attend", self._attend)
        monkeypatch.setattr(
            "clauderon.airlock.tip", lambda _home, session: self.tips.get(session.name), raising=False
        )

    class Child:
        done = False

        def poll(self) -> int | None:
            return 0 if self.done else None

    def _attend(self, argv: list[str], *, env: dict[str, str]) -> Child:
        assert argv[1:-1] == ["-P", "-m", "clauderon", "sync", "--quiet", "--"]
        self.started.append(argv[-1])
        self.children.append(Syncs.Child())
        return self.children[-1]

    def finish(self) -> None:
        for child in self.children:
            child.done = True


def rows(*names: str) -> dict[str, str]:
    from clauderon.record import Session

    def record(name: str) -> str:
        return Session(
            id=f"id-{name}", name=name, state="running", step="", port=1, repo="/r", git_dir="/g", branch="b",
            base="0", agent="claude", image="i", created_at=0, updated_at=0,
        ).to_json()  # fmt: skip

    return {f"id-{name}": record(name) for name in names}


def test_a_branch_that_moved_is_synced_once(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs = Syncs(monkeypatch)
    watching = branch_watch.BranchWatch(home, {})
    syncs.tips = {"one": None, "two": None}
    watching.set_sessions(rows("one", "two"))
    watching.look()
    assert syncs.started == []
    syncs.tips["one"] = "a" * 40
    watching.look()
    watching.look()
    assert syncs.started == ["one"]
    syncs.tips["one"] = "b" * 40
    watching.look()
    assert syncs.started == ["one"]  # one at a time for a session
    syncs.finish()
    watching.look()
    assert syncs.started == ["one", "one"]


def test_a_session_whose_sync_takes_long_rests_longer(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the rest, a session that makes each sync expensive keeps a core busy for good."""
    now = 100.0
    monkeypatch.setattr(branch_watch.time, "monotonic", lambda: now)
    syncs = Syncs(monkeypatch)
    watching = branch_watch.BranchWatch(home, {})
    syncs.tips = {"slow": "a" * 40, "quick": "a" * 40}
    watching.set_sessions(rows("slow", "quick"))
    watching.look()
    now += 20.0
    syncs.finish()
    syncs.tips = {"slow": "b" * 40, "quick": "a" * 40}
    watching.look()
    now += 20.0 * branch_watch.REST - 1
    watching.look()
    assert syncs.started.count("slow") == 1
    now += 1
    watching.look()
    assert syncs.started.count("slow") == 2


def test_few_syncs_run_at_once_and_none_is_forgotten(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs = Syncs(monkeypatch)
    names = [f"s{number}" for number in range(7)]
    watching = branch_watch.BranchWatch(home, {})
    syncs.tips = dict.fromkeys(names, "a" * 40)
    watching.set_sessions(rows(*names))
    for _ in range(10):
        watching.look()
        assert sum(not child.done for child in syncs.children) <= branch_watch.AT_ONCE
        syncs.finish()
    assert sorted(syncs.started) == names


def test_a_branch_already_synced_is_left_alone_after_a_restart(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs = Syncs(monkeypatch)
    noted = host_side(home, "id-one").synced
    noted.parent.mkdir(parents=True)
    noted.write_text("a" * 40 + "\n")
    syncs.tips = {"one": "a" * 40}
    watching = branch_watch.BranchWatch(home, {})
    watching.set_sessions(rows("one"))
    watching.look()
    assert syncs.started == []


def test_a_branch_that_is_where_it_began_is_left_alone(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs = Syncs(monkeypatch)
    syncs.tips = {"one": "0"}  # the base of `rows`
    watching = branch_watch.BranchWatch(home, {})
    watching.set_sessions(rows("one"))
    watching.look()
    assert syncs.started == []
    syncs.tips["one"] = "a" * 40
    watching.look()
    assert syncs.started == ["one"]


def test_a_session_that_is_gone_is_not_looked_at(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs = Syncs(monkeypatch)
    watching = branch_watch.BranchWatch(home, {})
    watching.set_sessions(rows("one", "two"))
    watching.set_sessions(rows("two"))
    syncs.tips = {"one": "a" * 40}
    watching.look()
    assert syncs.started == []


def test_eventually_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.proxy.service_rig.DEADLINE_S", 0.0)
    time.sleep(0.001)
    with pytest.raises(AssertionError, match="never came: it"):
        eventually(lambda: False, "it")


def test_unix_sockets_work_at_paths_of_any_length(tmp_path: Path) -> None:
    from clauderon.proxy.daemon import unix_socket

    for name in ("short", "long" * 40):
        directory = tmp_path / name
        directory.mkdir()
        path = directory / "proxy.sock"
        with contextlib.closing(unix_socket.listen(path)) as server:
            assert path.stat().st_mode & 0o777 == 0o600
            with contextlib.closing(socket.socket(socket.AF_UNIX)) as client:
                with unix_socket.address(path) as address:
                    client.connect(address)
                accepted, _ = server.accept()
                assert unix_socket.peer_uid(accepted.fileno()) == os.getuid()
                accepted.close()


def test_the_log_is_cut_before_it_fills_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from clauderon.proxy.daemon import logfile

    path = tmp_path / "proxy.log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        monkeypatch.setattr(logfile, "STDERR", descriptor)
        monkeypatch.setattr(logfile, "MAX_BYTES", 1000)
        for number in range(100):
            logfile.say(f"line {number}")
            logfile.trim(path)
    finally:
        os.close(descriptor)
    kept = (tmp_path / "proxy.log.1").read_text() + path.read_text()
    assert path.stat().st_size <= 1100
    assert "line 99" in kept
    logfile.say("to a closed descriptor")  # says nothing, and raises nothing


def test_the_service_may_open_many_descriptors_and_dumps_no_core() -> None:
    script = (
        "import resource; from clauderon.proxy.daemon import rlimits\n"
        "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard)); rlimits.apply()\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 256, resource.getrlimit(resource.RLIMIT_CORE))"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout == "True (0, 0)\n"
