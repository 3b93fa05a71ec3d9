"""A worker: what it does when it is told to reload, orphaned or hung."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import time

import pytest

from tests.proxy.daemon.load import _is_gone, kill_worker
from tests.proxy.service_rig import Service, eventually


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["[proxy\n", "unreadable", "a port that is taken", "no certificates"])
def test_a_worker_that_dies_beside_a_broken_configuration_is_replaced_all_the_same(
    pointed: Service, broken: str
) -> None:
    session = pointed.session("one")
    pointed.ensure()
    before = pointed.home.config.read_text()
    says = "config.toml"
    with contextlib.ExitStack() as cleanup:
        if broken == "unreadable":
            pointed.home.config.unlink()
            pointed.home.config.mkdir()
            cleanup.callback(pointed.home.config.rmdir)
        elif broken == "a port that is taken":
            stranger = cleanup.enter_context(socket.socket())
            stranger.bind(("127.0.0.1", pointed.ports[2]))
            stranger.listen()
            pointed.home.config.write_text(before.replace(str(pointed.ports[0]), str(pointed.ports[2])))
            says = "is taken by"
        elif broken == "no certificates":
            (pointed.home.root / "empty.pem").touch()
            pointed.home.config.write_text(re.sub(r'upstream_ca = ".*"', 'upstream_ca = "empty.pem"', before))
            says = "empty.pem"
        else:
            pointed.home.config.write_text(broken)
        for _ in range(2):
            kill_worker(pointed)
            assert pointed.request(session, "plain.test")[0] == 200
        (problem,) = eventually(lambda: pointed.status().problems, "it is said")
        assert problem.startswith("the earlier configuration still applies: ") and says in problem
    pointed.home.config.write_text(before)
    eventually(lambda: not pointed.status().problems, "it is none any more")
    kill_worker(pointed)
    assert pointed.request(session, "plain.test")[0] == 200


def test_a_worker_that_hangs_is_replaced(pointed: Service) -> None:
    session = pointed.session("one")
    running = pointed.ensure()
    os.kill(running.pid, signal.SIGSTOP)
    try:
        assert pointed.request(session, "plain.test")[0] == 200
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(running.pid, signal.SIGCONT)
    assert pointed.status().pid != running.pid
    assert "hangs" in pointed.log()


def test_an_orphaned_worker_lets_go_of_its_ports(pointed: Service) -> None:
    session = pointed.session("one")
    running = pointed.ensure()
    os.kill(running.supervisor_pid, signal.SIGKILL)
    eventually(lambda: _is_gone(running.pid), "the orphan ends")
    pointed.ensure()
    assert pointed.request(session, "plain.test")[0] == 200


def test_a_worker_that_is_told_to_reload_reloads(proxy: Service) -> None:
    """`pkill -HUP clauderon` reaches both. It killed the worker, and what was under way there."""
    running = proxy.ensure()
    proxy.home.config.write_text(proxy.home.config.read_text() + "\n# changed\n")
    os.kill(running.pid, signal.SIGHUP)
    time.sleep(1.5)
    again = proxy.status()
    assert (again.pid, again.restarts) == (running.pid, 0)
