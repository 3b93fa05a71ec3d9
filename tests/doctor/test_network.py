"""The doctor's checks of the proxy: its CA, its ports, and the way to it from a container."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from clauderon.config.schema import Config
from clauderon.doctor import network
from clauderon.paths import Home
from clauderon.proxy.ca import authority
from tests.doctor.remedies import SETTINGS, mended


def test_a_ca_key_that_others_may_read_is_a_failure(home: Home) -> None:
    authority.ensure(home)
    assert network.certificate(home).outcome == "ok"
    home.ca_key.chmod(0o644)
    check = network.certificate(home)
    assert check.outcome == "fail"
    mended(check, lambda: network.certificate(home))


def test_a_ca_with_a_missing_file_is_a_failure(home: Home) -> None:
    authority.ensure(home)
    home.ca_key.unlink()
    assert network.certificate(home).outcome == "fail"


def test_a_ca_out_of_its_time_is_a_failure(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = authority.ensure(home)
    for now, outcome in (
        (facts.not_after + 1, "fail"),
        (facts.not_before - 1, "fail"),
        (facts.renew_at + 1, "warn"),
    ):
        monkeypatch.setattr("time.time", lambda now=now: now)
        assert network.certificate(home).outcome == outcome


def with_port(port: int) -> Config:
    return SETTINGS._replace(proxy=SETTINGS.proxy._replace(port=port))


def test_a_port_taken_by_a_stranger_names_the_stranger(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        check = network.proxy(home, with_port(stranger.getsockname()[1]))
    assert check.outcome == "fail"
    assert f"(pid {os.getpid()})" in check.found


def test_a_proxy_that_does_not_run_is_a_warning(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    check = network.proxy(home, with_port(port))
    assert (check.outcome, check.mend) == ("warn", "clauderon proxy start")


@pytest.mark.parametrize(
    ("word", "outcome", "mend"),
    [
        ("reached", "ok", ""),
        ("refused", "fail", "clauderon proxy stop; clauderon proxy start"),
        ("toolless", "warn", ""),
        ("unresolved", "fail", "clauderon proxy status"),
        ("", "fail", "clauderon proxy status"),
    ],
)
def test_what_a_container_says_of_the_proxy(word: str, outcome: str, mend: str) -> None:
    check = network._verdict("x", word, SETTINGS, "0" * 64, {"PATH": "/nonexistent"})
    assert (check.outcome, check.mend) == (outcome, mend)


@pytest.mark.parametrize(
    ("program", "command"),
    [
        ("ufw", "sudo ufw allow in on br-0123456789ab proto tcp to any port 3030,3100:3999"),
        (
            "firewall-cmd",
            "sudo firewall-cmd --permanent --zone=docker --add-port=3030/tcp --add-port=3100-3999/tcp"
            " && sudo firewall-cmd --reload",
        ),
        (
            "iptables",
            "sudo iptables -I INPUT -i br-0123456789ab -p tcp -m multiport --dports 3030,3100:3999 -j ACCEPT",
        ),
    ],
)
def test_a_firewall_is_opened_in_its_own_language(tmp_path: Path, program: str, command: str) -> None:
    (tmp_path / program).write_text("#!/bin/sh\n")
    (tmp_path / program).chmod(0o755)
    check = network._verdict("x", "timeout", SETTINGS, "0123456789abcdef", {"PATH": str(tmp_path)})
    assert (check.outcome, check.mend) == ("fail", command)


def test_each_port_has_its_own_word() -> None:
    said = "port 3030\nreached\nport 3031\nnc: bad\nport of call\n"
    assert network.parse_words("port 3030\nreached\nport 3031\ntimeout\n") == {
        3030: "reached",
        3031: "timeout",
    }
    assert network.parse_words(said) == {3030: "reached", 3031: "nc: bad\nport of call"}


def test_a_proxy_that_leaves_a_tunnel_without_an_answer_is_seen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def serve(answer: bytes) -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        for answer, tunnels in ((b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", True), (b"", False)):
            thread = threading.Thread(target=serve, args=(answer,))
            thread.start()
            assert network._tunnels(port) is tunnels
            thread.join()
