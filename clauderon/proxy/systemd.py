"""Telling systemd that the service is ready, for units with `Type=notify`. Does nothing anywhere else."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping


def notify_ready(environ: Mapping[str, str]) -> None:
    """Say READY=1 to the socket systemd named; repeated after a worker was replaced, which does no harm."""
    address = environ.get("NOTIFY_SOCKET", "")
    if address.startswith(("/", "@")):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.connect(address.replace("@", "\0", 1))
            sock.send(b"READY=1")
