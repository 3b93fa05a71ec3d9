"""The data plane as a whole: how many it takes, and how it ends."""

from __future__ import annotations

import threading

import pytest

from clauderon.proxy.dataplane import session as sessions_module
from tests.proxy.peers import GET, OK, Peer
from tests.proxy.rig import Rig


def test_idle_tunnels_do_not_get_in_the_way(rig: Rig) -> None:
    rig.upstream()
    context = rig.client_context()
    idle = [rig.tunnel(context=context) for _ in range(200)]
    assert rig.ask(GET)[1] == b"ok"
    assert rig.call(lambda: rig.plane.counters["one"].open_tunnels) >= 200
    for client in idle:
        client.send(GET)
    for client in idle:
        assert client.message()[1] == b"ok"
        client.close()
    rig.wait(lambda: rig.call(lambda: rig.plane.counters["one"].open_tunnels) == 0)


def test_too_many_connections_are_turned_away(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clauderon.proxy.dataplane.judge.MAX_CONNECTIONS", 3)
    rig.upstream()
    kept = [rig.tunnel() for _ in range(3)]
    client = rig.connect()
    head, _ = client.message()
    assert head.startswith(b"HTTP/1.1 503 ")
    client.close()
    kept[0].close()
    rig.wait(lambda: rig.call(lambda: len(rig.plane.sessions["one"].clients)) < 3)
    assert rig.ask(GET)[1] == b"ok"
    assert sessions_module.MAX_CONNECTIONS > 1000


def test_requests_in_flight_are_finished_when_the_proxy_is_told_to_stop(rig: Rig) -> None:
    go, asked = threading.Event(), threading.Event()

    def handle(peer: Peer) -> None:
        peer.message()
        asked.set()
        go.wait(30)
        peer.send(OK)

    rig.upstream(handler=handle)
    busy, idle = rig.tunnel(), rig.tunnel()
    busy.send(GET)
    assert asked.wait(30)
    import asyncio

    drained = asyncio.run_coroutine_threadsafe(rig.plane.drain(30), rig.loop)
    assert idle.at_end()
    go.set()
    assert busy.message()[1] == b"ok"
    assert busy.at_end()
    drained.result(30)
