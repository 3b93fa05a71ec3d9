"""Telling systemd that the service is ready, for units with `Type=notify`. Does nothing anywhere else."""

from __future__ import annotations

import contextlib
import socket

# The variable that names systemd's socket: a path, or an abstract name behind an `@`.
SOCKET = "NOTIFY_SOCKET"


def notify_ready(address: str) -> None:
    """Say READY=1 at `address` (empty: to nobody); repeated after a worker was replaced, which does no harm."""
    if address.startswith(("/", "@")):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.connect(address.replace("@", "\0", 1))
            sock.send(b"READY=1")
