"""Clients that ask without pause, and workers that are killed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.proxy.service_rig import Service


def kill_worker(proxy: Service) -> int:
    pid = proxy.status().pid
    os.kill(pid, signal.SIGKILL)
    return pid


def _is_gone(pid: int) -> bool:
    """Dead, though perhaps not reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
