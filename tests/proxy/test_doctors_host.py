"""The address that `doctor --tls` asks for: the proxy answers itself, whatever the session's lists say."""

from __future__ import annotations

from clauderon.proxy.policy.hosts import PROBE_HOST
from tests.proxy.rig import Rig


def asked(method: str) -> bytes:
    return f"{method} /any HTTP/1.1\r\nHost: {PROBE_HOST}\r\nContent-Length: 0\r\n\r\n".encode()


def test_the_doctors_host_is_answered_although_no_host_is_allowed(rig: Rig) -> None:
    rig.session(allow=())
    head, _ = rig.ask(asked("GET"), PROBE_HOST)
    assert head.startswith(b"HTTP/1.1 200 ")


def test_nothing_is_taken_for_the_doctors_host(rig: Rig) -> None:
    rig.session()
    assert rig.ask(asked("POST"), PROBE_HOST)[0].startswith(b"HTTP/1.1 404 ")
