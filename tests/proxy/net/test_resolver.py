"""Names: slow ones hold up nobody else, each is asked for once at a time, and one without an answer is given up."""

from __future__ import annotations

import socket
import threading

import pytest

from clauderon.proxy.net import resolver
from tests.proxy.peers import GET
from tests.proxy.rig import Rig


def test_a_name_that_does_not_exist(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(rig.plane.shared.dialler.resolver, "getaddrinfo", getaddrinfo)
    head, body = rig.ask(GET)
    assert head.startswith(b"HTTP/1.1 502 ")
    assert b"the name api.test cannot be resolved: name or service not known" in body
    assert rig.audited()[0].error == "upstream-dns"


def test_names_that_are_slow_to_resolve_hold_up_nobody_else(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream = rig.upstream()
    rig.configure(connect_to={"api.test:443": f"fast.test:{upstream.port}"})
    asked, running, most = [], [0], [0]
    answer = threading.Event()

    def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        if host.startswith("slow"):
            running[0] += 1
            most[0] = max(most[0], running[0])
            answer.wait(30)
            running[0] -= 1
            raise socket.gaierror(-3, "Temporary failure in name resolution")
        return [(socket.AF_INET, 1, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(rig.plane.shared.dialler.resolver, "getaddrinfo", getaddrinfo)
    clients = []
    for number in range(resolver.SHARE * 3):
        client = rig.tunnel(f"slow{number}.test", name="greedy")
        client.send(b"GET / HTTP/1.1\r\nHost: slow%d.test\r\n\r\n" % number)
        clients.append(client)
    rig.wait(lambda: len(asked) == resolver.SHARE)
    assert rig.ask(GET, name="one")[1] == b"ok"
    clients[0].close()  # whoever gives up does not make room for another slow one
    answer.set()
    for client in clients[1:]:
        assert client.message()[0].startswith(b"HTTP/1.1 502 ")
    assert most[0] == resolver.SHARE
    assert len(asked) == len(clients) + 1


def test_a_name_is_asked_for_once_at_a_time(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    upstream = rig.upstream()
    rig.configure(connect_to={"api.test:443": f"one.test:{upstream.port}"})
    asked = []
    answer = threading.Event()

    def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        answer.wait(30)
        return [(socket.AF_INET, 1, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(rig.plane.shared.dialler.resolver, "getaddrinfo", getaddrinfo)
    clients = [rig.tunnel() for _ in range(20)]
    for client in clients:
        client.send(GET)
    rig.wait(lambda: len(rig.plane.sessions["one"].clients) == 20 and bool(asked))
    clients.pop(0).close()  # the one that asked leaves, and the others are answered all the same
    rig.wait(lambda: bool(rig.records.all))
    answer.set()
    for client in clients:
        assert client.message()[1] == b"ok"
    assert asked == ["one.test"]


def test_a_name_nobody_answers_for_is_given_up(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "LOOK_UP_S", 0.05)
    answer = threading.Event()
    monkeypatch.setattr(
        rig.plane.shared.dialler.resolver, "getaddrinfo", lambda *_, **__: answer.wait(30) and []
    )
    head, body = rig.ask(GET)
    answer.set()
    assert head.startswith(b"HTTP/1.1 504 ")
    assert b"the name api.test was not resolved in time" in body
