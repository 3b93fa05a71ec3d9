"""Telling systemd that the service is ready, at either kind of its address."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from clauderon.proxy.daemon.systemd import notify_ready


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_ready_is_said_at_the_address(tmp_path: Path, kind: str) -> None:
    address = str(tmp_path / "notify") if kind == "path" else f"@clauderon-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(address.replace("@", "\0", 1))
        heard.settimeout(30)
        notify_ready(address)
        assert heard.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", ["", "relative", "/no/such/socket"])
def test_where_nobody_listens_nothing_happens(address: str) -> None:
    notify_ready(address)
