"""What happened to sessions, a JSON object a line: what hooks and scripts read. Knows files alone.

Who appends must not wait for it: a line that cannot be written is lost, and the caller says so.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from typing import Any

from clauderon.paths import Home

# At this size the file makes room for a new one; one earlier file is kept.
ROTATE_BYTES = 4 << 20


def append(home: Home, kind: str, facts: Mapping[str, Any]) -> None:
    """Write one event. kind: as `budget`; facts: what JSON can hold. Raises OSError."""
    line = json.dumps({"time": time.time(), "event": kind, **facts}, separators=(",", ":")).encode() + b"\n"
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(home.events, flags, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if os.write(descriptor, line) < len(line):
            os.ftruncate(descriptor, size)
            raise OSError("the disk is full")
    finally:
        os.close(descriptor)
    if size > ROTATE_BYTES:
        home.events.replace(home.events.with_name(f"{home.events.name}.1"))
