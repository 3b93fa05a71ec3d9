"""Ports that are taken, by whom, and what that costs."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

import pytest

from clauderon.errors import BackendError
from clauderon.proxy.daemon import lockfile
from tests.proxy.service_rig import Service, eventually


def test_a_stranger_on_the_port_is_named(proxy: Service) -> None:
    with contextlib.closing(socket.socket()) as stranger:
        stranger.bind(("127.0.0.1", proxy.port))
        stranger.listen()
        with pytest.raises(BackendError) as caught:
            proxy.ensure()
    assert f"port {proxy.port} on 127.0.0.1 is taken by " in caught.value.why
    assert f"(pid {os.getpid()})" in caught.value.why
    assert "[proxy] port" in (caught.value.hint or "")
    assert lockfile.holder(proxy.home) is None


def test_a_stranger_on_a_session_port_hurts_that_session_alone(pointed: Service) -> None:
    with contextlib.closing(socket.socket()) as stranger:
        victim = pointed.session("victim")
        stranger.bind(("127.0.0.1", victim.port))
        stranger.listen()
        other = pointed.session("other")
        pointed.ensure()
        with pytest.raises(BackendError, match=f"port {victim.port} on 127.0.0.1 is taken by"):
            pointed.reload(victim.id)
        pointed.reload(other.id)
        assert pointed.request(other, "plain.test")[0] == 200
    # Tried again on its own once the stranger is gone.
    eventually(lambda: not pointed.status().problems, "the port is free again")
    assert pointed.request(victim, "plain.test")[0] == 200


def test_another_homes_service_on_the_port_is_named_as_such(proxy: Service, tmp_path: Path) -> None:
    from clauderon.paths import Home

    proxy.ensure()
    second = (
        Service(Home(tmp_path / "second"), proxy.ports, proxy.environ) if _made(tmp_path / "second") else None
    )
    assert second is not None
    with pytest.raises(BackendError) as caught:
        second.ensure()
    assert f"the clauderon proxy of {proxy.home.root}" in caught.value.why


def _made(root: Path) -> bool:
    from clauderon.paths import Home

    Home(root).create()
    return True
