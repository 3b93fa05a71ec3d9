"""A worker that dies, hangs or cannot start, under load: what is lost and what is not."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import partial

import pytest

from clauderon.errors import BackendError
from clauderon.paths import Home
from clauderon.proxy import service
from clauderon.proxy.daemon import lockfile
from clauderon.proxy.daemon.supervisor import restart_delay_s
from clauderon.record import Session
from tests.proxy.daemon.load import _is_gone, kill_worker
from tests.proxy.service_rig import CANARY, Service, Upstream, eventually


class Load:
    """Clients that ask without pause, each in a tunnel of its own that it opens again when it is cut."""

    def __init__(self, proxy: Service, session: Session, clients: int) -> None:
        self.answered = 0
        self.failed = 0
        self.refused_connections = 0
        self.wrong: list[object] = []
        self._proxy = proxy
        self._session = session
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(clients)]

    def has_answered(self, count: int) -> bool:
        return self.answered >= count

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        connection: http.client.HTTPSConnection | None = None
        while not self._stop.is_set():
            try:
                if connection is None:
                    connection = self._proxy.tunnel(self._session, "api.anthropic.com")
                connection.request("POST", "/v1/messages", b"x" * 1000)
                answer = connection.getresponse()
                body = answer.read()
                if answer.status == 200 and b'"length": 1000' in body:
                    self.answered += 1
                else:
                    self.wrong.append((answer.status, body))
            except ConnectionRefusedError:
                self.refused_connections += 1
                connection = None
            except (OSError, http.client.HTTPException):
                self.failed += 1
                if connection is not None:
                    connection.close()
                connection = None
        if connection is not None:
            connection.close()


@pytest.mark.slow
def test_fifty_kills_under_load_lose_only_requests_in_flight(pointed: Service) -> None:
    clients, kills = 4, 50
    pointed.environ["ANTHROPIC_API_KEY"] = CANARY
    session = pointed.session("one")
    pointed.ensure()
    pids = set()
    with Load(pointed, session, clients) as load:
        for _ in range(kills):
            wanted = load.answered + clients
            eventually(partial(load.has_answered, wanted), "requests go through again")
            pids.add(kill_worker(pointed))
        before = load.answered
        eventually(lambda: load.answered >= before + clients, "requests go through at the end")
    assert len(pids) == kills
    assert load.wrong == []
    # The ports were held all the while, and each kill cost each client at most the one request it had in flight.
    assert load.refused_connections == 0
    assert load.failed <= kills * clients
    final = pointed.status()
    assert final.restarts == kills
    assert final.held == {"anthropic": "env ANTHROPIC_API_KEY"}


def test_a_connection_made_while_no_worker_lives_is_served_by_the_next(
    pointed: Service, echo: Upstream
) -> None:
    session = pointed.session("one")
    running = pointed.ensure()
    os.kill(running.supervisor_pid, signal.SIGSTOP)
    try:
        os.kill(running.pid, signal.SIGKILL)
        eventually(lambda: _is_gone(running.pid), "the worker is dead")
        tunnel = pointed.tunnel(session, "plain.test")
        answers: list[int] = []
        asking = threading.Thread(target=lambda: answers.append(_status(tunnel)), daemon=True)
        asking.start()
        time.sleep(0.1)
        assert answers == []  # in the backlog: neither refused nor answered
    finally:
        os.kill(running.supervisor_pid, signal.SIGCONT)
    asking.join(60)
    assert answers == [200]


def _status(tunnel: http.client.HTTPSConnection) -> int:
    with contextlib.closing(tunnel):
        tunnel.request("GET", "/")
        answer = tunnel.getresponse()
        answer.read()
        return answer.status


def test_sockets_opened_by_a_reload_survive_the_worker_that_opened_them(pointed: Service) -> None:
    pointed.ensure()
    session = pointed.session("late")
    pointed.reload(session.id)
    kill_worker(pointed)
    assert pointed.request(session, "plain.test")[0] == 200
    assert pointed.status().problems == ()


def test_a_secret_handed_over_later_survives_a_crash_in_memory_only(pointed: Service, echo: Upstream) -> None:
    session = pointed.session("one")
    pointed.ensure()
    pointed.environ["ANTHROPIC_API_KEY"] = CANARY
    pointed.reload()
    kill_worker(pointed)
    pointed.request(session, "api.anthropic.com")
    assert echo.seen[-1][1]["x-api-key"] == CANARY
    for path in pointed.home.root.rglob("*"):
        if path.is_file():
            assert CANARY.encode() not in path.read_bytes(), path


def test_a_worker_that_dies_again_and_again_is_not_started_without_pause(proxy: Service) -> None:
    first = proxy.ensure()
    # From now on a worker cannot start: the database cannot be read. The ports stay, and it is tried again.
    good = proxy.home.database.rename(proxy.home.root / "aside")
    proxy.home.database.mkdir()
    os.kill(first.pid, signal.SIGKILL)
    eventually(lambda: proxy.log().count("the next one starts") >= 3, "it is tried again")
    waits = [
        float(line.rpartition(" in ")[2].split()[0]) for line in proxy.log().splitlines() if " in " in line
    ]
    with pytest.raises(BackendError, match=r"its worker does not start: .*clauderon\.db"):
        service.status(proxy.home)
    assert waits == sorted(waits)
    assert waits[-1] > waits[0]
    assert str(proxy.home.database) in proxy.log()
    proxy.home.database.rmdir()
    good.rename(proxy.home.database)
    # Asking has it try at once, so that what was mended works; and it goes on as if nothing had been.
    again = service.status(proxy.home)
    assert again is not None and again.supervisor_pid == first.supervisor_pid
    assert (lockfile.holder(proxy.home) or {})["problem"] == ""


def test_a_worker_that_fails_for_months_is_still_tried_again() -> None:
    assert [restart_delay_s(failures) for failures in (1, 2, 8, 9, 5000)] == [0.2, 0.4, 25.6, 30.0, 30.0]


def test_a_service_that_is_stuck_before_it_has_a_socket_is_neither_gone_nor_stopped(home: Home) -> None:
    """Its worker died between `ready` and its control socket, and the next ones cannot start."""
    script = (
        "import os, signal, sys, time; from pathlib import Path; from clauderon.paths import Home\n"
        "from clauderon.proxy.daemon import lockfile\n"
        "lock = lockfile.acquire(Home(Path(sys.argv[1])))\n"
        "facts = {'pid': os.getpid(), 'version': '1', 'held': {}, 'problem': 'no luck\\tdo this', 'failures': 2}\n"
        "signal.signal(signal.SIGHUP, lambda *_: lock.write({**facts, 'failures': 3}))\n"
        "lock.write(facts); print('held', flush=True)\n"
        "while True: time.sleep(1)"
    )
    child = subprocess.Popen([sys.executable, "-c", script, str(home.root)], stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None and child.stdout.readline() == b"held\n"
        with pytest.raises(BackendError, match="its worker does not start: no luck") as caught:
            service.status(home)
        assert caught.value.hint == "do this"
        assert service.stop(home)
        assert child.wait(10) == -signal.SIGTERM
    finally:
        child.kill()
        child.communicate()


def test_a_service_whose_worker_cannot_start_can_be_stopped(proxy: Service) -> None:
    first = proxy.ensure()
    proxy.home.database.unlink()
    proxy.home.database.mkdir()
    os.kill(first.pid, signal.SIGKILL)
    eventually(lambda: (lockfile.holder(proxy.home) or {}).get("problem"), "it is tried in vain")
    assert service.stop(proxy.home)
    assert _is_gone(first.supervisor_pid)


def test_stopping_lets_a_request_in_flight_finish(pointed: Service, echo: Upstream) -> None:
    session = pointed.session("one")
    pointed.ensure()
    with contextlib.closing(pointed.tunnel(session, "plain.test")) as tunnel:
        tunnel.putrequest("POST", "/slow")
        tunnel.putheader("Content-Length", "10")
        tunnel.endheaders(b"12345")
        stopping = threading.Thread(target=service.stop, args=(pointed.home,))
        eventually(lambda: pointed.status().sessions[0].open_tunnels, "the tunnel stands")
        stopping.start()
        eventually(
            lambda: not pointed.home.control_socket.exists() or not _listens(session.port), "no new ones"
        )
        tunnel.send(b"67890")
        assert tunnel.getresponse().status == 200
    stopping.join()


def _listens(port: int) -> bool:
    import socket

    with contextlib.closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_request_that_does_not_end_does_not_keep_the_service_from_stopping(pointed: Service) -> None:
    session = pointed.session("one")
    pointed.ensure()
    with contextlib.closing(pointed.tunnel(session, "plain.test")) as tunnel:
        tunnel.putrequest("POST", "/never")
        tunnel.putheader("Content-Length", "10")
        tunnel.endheaders(b"12345")
        assert service.stop(pointed.home)
    assert service.status(pointed.home) is None


def test_a_service_whose_home_was_removed_ends_and_lets_go_of_its_ports(proxy: Service) -> None:
    pid = proxy.ensure().supervisor_pid
    shutil.rmtree(proxy.home.root)
    eventually(lambda: _is_gone(pid), "the supervisor ends")
    with socket.create_server(("127.0.0.1", proxy.port)):
        pass
    proxy.home.create()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_service_whose_home_was_unmounted_ends_and_lets_go_of_its_ports(proxy: Service) -> None:
    """Seen to fail with the look at the lock file's links alone: they are all there on a disk that is gone."""
    root = str(proxy.home.root)
    kept = proxy.home.config.read_bytes()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "home", root], check=True)
    try:
        proxy.home.create()
        proxy.home.config.write_bytes(kept)
        pid = proxy.ensure().supervisor_pid
    finally:
        subprocess.run(["umount", "--lazy", root], check=True)
    eventually(lambda: _is_gone(pid), "the supervisor ends")
    with socket.create_server(("127.0.0.1", proxy.port)):
        pass


def test_the_pid_that_is_shown_is_of_the_process_that_stays(proxy: Service) -> None:
    running = proxy.ensure()
    row = running.row()
    assert (row["pid"], row["worker_pid"]) == (running.supervisor_pid, running.pid)


def test_the_doctors_own_request_is_marked_in_the_audit(proxy: Service) -> None:
    """It was a refused tunnel to 127.0.0.1:9, which somebody who reads the audit takes for an attack."""
    from clauderon.doctor import network

    proxy.ensure()
    assert network._tunnels(proxy.port)
    eventually(lambda: proxy.audit(), "the audit")
    line = proxy.audit()[-1]
    assert (line["rule"], line["host"], line["refused"]) == ("doctor", "clauderon-doctor.invalid:443", False)
