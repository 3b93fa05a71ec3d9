"""Lines of the audit by another than the proxy: what the dashboard refused. One write a line, never a wait.

A client that is refused may ask again without end. Beyond a few a second its requests are only counted.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from clauderon.proxy.audit.line import Lines
from clauderon.proxy.audit.record import AuditRecord

_BURST, _PER_S = 50.0, 1.0


class Aside:
    """port: the dashboard's. On one thread."""

    def __init__(self, audit: Path, port: int) -> None:
        self._audit = audit
        self._port = port
        self._lines = Lines()
        self._left = _BURST
        self._at = time.monotonic()
        self._untold = 0

    def refused(self, method: str, path: str, rule: str) -> None:
        """Note that a request got 403. path: without its query. An audit that cannot be written is no error."""
        now = time.monotonic()
        self._left = min(_BURST, self._left + (now - self._at) * _PER_S)
        self._at = now
        if self._left < 1:
            self._untold += 1
            return
        self._left -= 1
        record = AuditRecord(
            time=time.time(), kind="dashboard", session="", session_name="", host="127.0.0.1", port=self._port,
            method=method, path=path, status=403, bytes_up=0, bytes_down=0, duration=0.0, rule=rule, refused=True,
        )  # fmt: skip
        line = self._lines.line(record)
        if self._untold:
            line = f'{line[:-2]}, "others": {self._untold}}}\n'
            self._untold = 0
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self._audit, flags, 0o600)
            try:
                os.write(descriptor, line.encode())
            finally:
                os.close(descriptor)
        except OSError:
            self._untold += 1
