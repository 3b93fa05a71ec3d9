"""Starting, finding and stopping the service, as commands do it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from clauderon import config, proc
from clauderon.errors import BackendError, UsageError
from clauderon.proxy import service
from clauderon.store import Store
from tests.proxy.service_rig import CANARY, Service, Upstream, eventually, listening


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as made:
        yield made


def test_ensure_starts_the_service_and_finds_it_again(proxy: Service) -> None:
    first = proxy.ensure()
    assert listening("127.0.0.1", proxy.port)
    assert proxy.ensure().pid == first.pid


def test_stop_frees_the_ports_and_leaves_no_socket(proxy: Service) -> None:
    proxy.ensure()
    assert service.stop(proxy.home)
    assert not listening("127.0.0.1", proxy.port)
    assert not proxy.home.control_socket.exists()
    assert service.status(proxy.home) is None
    assert not service.stop(proxy.home)


def test_the_health_page_names_the_service_and_no_session(proxy: Service) -> None:
    session = proxy.session("secretive")
    proxy.ensure()
    with contextlib.closing(socket.create_connection(("127.0.0.1", proxy.port))) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: sock.recv(4096), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert json.loads(body)["status"] == "ok"
    assert session.name.encode() not in answer


def test_stale_files_of_a_killed_service_are_no_obstacle(proxy: Service) -> None:
    first = proxy.ensure()
    os.kill(first.supervisor_pid, signal.SIGKILL)
    eventually(lambda: not listening("127.0.0.1", proxy.port), "the orphan lets go of the port")
    assert service.status(proxy.home) is None
    assert proxy.home.control_socket.exists()
    second = proxy.ensure()
    assert second.supervisor_pid != first.supervisor_pid


def test_a_lock_file_with_another_programs_pid_is_stale(proxy: Service) -> None:
    (proxy.home.locks / "proxy.lock").write_text(json.dumps({"pid": os.getpid(), "version": "0", "held": {}}))
    assert service.status(proxy.home) is None
    assert not service.stop(proxy.home)
    proxy.ensure()


def test_two_services_racing_end_up_as_one(proxy: Service) -> None:
    barrier = threading.Barrier(4)
    found: list[int] = []

    def start() -> None:
        barrier.wait()
        found.append(proxy.ensure().supervisor_pid)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1


def test_a_service_of_another_version_is_replaced(proxy: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    first = proxy.ensure()
    monkeypatch.setattr("clauderon.__version__", "99.0")
    # The replacement still says the installed version, so `ensure` gives up instead of going round for ever.
    with pytest.raises(BackendError, match="again and again"):
        proxy.ensure()
    monkeypatch.undo()
    assert proxy.ensure().supervisor_pid != first.supervisor_pid


def test_the_main_port_follows_the_configuration(proxy: Service) -> None:
    first = proxy.ensure()
    proxy.configure(port=proxy.ports[2])
    second = proxy.ensure()
    assert second.supervisor_pid == first.supervisor_pid
    assert listening("127.0.0.1", proxy.ports[2])
    assert not listening("127.0.0.1", proxy.ports[0])


def test_another_port_in_one_shells_environment_cuts_nobody_off(pointed: Service) -> None:
    first = pointed.ensure()
    environ = {**pointed.environ, "CLAUDERON_PROXY_PORT": str(pointed.ports[2])}
    other = config.load(pointed.home, environ)
    second = service.ensure(pointed.home, other, environ)
    assert (second.supervisor_pid, second.port) == (first.supervisor_pid, first.port)
    # Whoever starts the proxy by hand means it.
    third = service.ensure(pointed.home, other, environ, again=True)
    assert (third.supervisor_pid != first.supervisor_pid, third.port) == (True, pointed.ports[2])


def test_a_new_main_port_that_is_taken_leaves_the_old_one(proxy: Service) -> None:
    proxy.ensure()
    with contextlib.closing(socket.socket()) as stranger:
        stranger.bind(("127.0.0.1", proxy.ports[2]))
        stranger.listen()
        proxy.configure(port=proxy.ports[2])
        with pytest.raises(BackendError, match="is taken by"):
            proxy.reload()
        assert listening("127.0.0.1", proxy.ports[0])


def test_a_bad_configuration_is_refused_and_the_service_goes_on(pointed: Service) -> None:
    session = pointed.session("one")
    pointed.ensure()
    good = pointed.config
    before = pointed.home.config.read_text()
    pointed.home.config.write_text("[proxy]\nprot = 1\n")
    with pytest.raises(UsageError, match="prot"):
        service.reload(pointed.home, good, pointed.environ)
    assert pointed.request(session, "plain.test")[0] == 200
    pointed.home.config.write_text(before)
    pointed.reload()


def test_a_first_start_with_a_bad_configuration_says_what_is_wrong(proxy: Service) -> None:
    good = proxy.config
    proxy.home.config.write_text("[proxy]\nprot = 1\n")
    with pytest.raises(BackendError, match="prot"):
        service.ensure(proxy.home, good, proxy.environ)


def test_a_home_with_a_very_long_path_works(tmp_path: Path) -> None:
    from clauderon.paths import Home
    from tests.proxy.service_rig import running
    from tests.standins.engine import reserved_ports

    root = tmp_path / ("long" * 30)
    root.mkdir()
    home = Home(root)
    home.create()
    with reserved_ports() as ports, running(home, ports) as made:
        assert made.ensure().home == str(root)


def test_run_refuses_to_be_a_second_service(proxy: Service) -> None:
    from clauderon.errors import Conflict
    from clauderon.proxy.daemon import supervisor

    running = proxy.ensure()
    with pytest.raises(Conflict, match=f"pid {running.supervisor_pid}"):
        supervisor.run(proxy.home, proxy.config, proxy.environ)


def test_run_in_the_foreground_serves_and_ends_on_sigterm(
    pointed: Service, echo: Upstream, stack: contextlib.ExitStack
) -> None:
    session = pointed.session("one")
    pointed.environ["ANTHROPIC_API_KEY"] = CANARY
    systemd = stack.enter_context(contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)))
    systemd.bind(f"\0clauderon-test-{os.getpid()}")
    systemd.settimeout(60)
    pointed.environ["NOTIFY_SOCKET"] = f"@clauderon-test-{os.getpid()}"
    argv = [sys.executable, "-m", "clauderon", "proxy", "run"]
    child = proc.attend(argv, env=pointed.environ)
    try:
        assert systemd.recv(100) == b"READY=1"
        assert service.status(pointed.home).supervisor_pid == child.pid  # type: ignore[union-attr]
        pointed.request(session, "api.anthropic.com")
        assert echo.seen[-1][1]["x-api-key"] == CANARY
        # It became the supervisor by exec, so that its environment is clean as well.
        assert CANARY.encode() not in Path(f"/proc/{child.pid}/environ").read_bytes()
        child.send_signal(signal.SIGTERM)
        assert child.wait(30) == 0
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()


def test_sessions_that_were_given_a_lost_ca_are_named(pointed: Service) -> None:

    pointed.ensure()
    old = pointed.session("old", state="creating")
    pointed.reload(old.id)
    with Store.open(pointed.home) as store:
        store.update(old.id, state="running")
    assert pointed.reload().problems == ()
    pointed.home.ca_key.unlink()
    pointed.ensure()
    new = pointed.session("new", state="creating")
    pointed.reload(new.id)
    assert pointed.reload().problems == ("session old was given an earlier CA: clauderon refresh old",)
    # The service signs with the new CA at once, and a container made anew has it.
    assert pointed.request(new, "plain.test")[0] == 200
    with Store.open(pointed.home) as store:
        store.update(old.id, state="refreshing")
    pointed.reload(old.id)
    with Store.open(pointed.home) as store:
        store.update(old.id, state="running")
    assert pointed.reload().problems == ()


def test_a_command_that_supplies_no_secret_is_reported(proxy: Service, tmp_path: Path) -> None:
    program = tmp_path / "print-it"
    program.write_text("#!/bin/sh\necho the vault is locked >&2\nexit 3\n")
    program.chmod(0o755)
    proxy.configure(f'[credentials.mine]\nhosts = ["mine.test"]\ncommand = ["{program}"]\n')
    (problem,) = proxy.ensure().problems
    assert problem.startswith("credential mine: ")
    assert problem.endswith("ended with 3: the vault is locked")
    assert proxy.status().lacking == ("mine",)


def test_what_prints_a_secret_is_asked_by_who_starts_something_and_by_nobody_else(
    proxy: Service, tmp_path: Path
) -> None:
    program, count = tmp_path / "print-it", tmp_path / "count"
    program.write_text(f"#!/bin/sh\necho x >>{count}\nexit 3\n")
    program.chmod(0o755)
    proxy.configure(f'[credentials.mine]\nhosts = ["mine.test"]\ncommand = ["{program}"]\n')

    def asked() -> int:
        return count.read_text().count("x")

    proxy.ensure()
    assert asked() == 1, "the service was started"
    proxy.ensure()
    proxy.reload()
    assert asked() == 1, "as by an exec, an archive"
    service.ensure(proxy.home, proxy.config, proxy.environ, again=True)
    assert asked() == 2, "by `proxy start`"
    service.reload(proxy.home, proxy.config, proxy.environ, fetch=True)
    assert asked() == 3, "as by a create"
