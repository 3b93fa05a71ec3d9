"""The audit: one JSON line per request in `audit.jsonl`, written by a thread of its own, rotated by size.

The event loop only makes the line and appends it to a queue. Made in the thread, a batch of them would hold up the
loop: it lets go of the interpreter at every TLS operation and would get it back only after a switch interval. A disk
that is full or slow never stops a request; what could not be written is counted, and the count is written once there
is room again.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections import deque
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii as quoted
from pathlib import Path

from clauderon.proxy.interfaces import AuditRecord

# How late a line may be, and what a kill -9 may cost.
FLUSH_S = 0.1
# After a failed write.
RETRY_S = 1.0
# About 40 MB of lines; at that rate the disk is the problem.
MAX_QUEUED = 100_000
MODE = 0o600


class AuditLog:
    """Implements `interfaces.Audit`. `write` is called on the event loop, everything else on the thread."""

    def __init__(self, path: Path, *, max_bytes: int, keep: int) -> None:
        """max_bytes: the size at which the file is rotated; keep: how many rotated files stay."""
        self._path = path
        self._max_bytes = max_bytes
        self._keep = keep
        self._queue: deque[str] = deque()
        self._wanted = threading.Event()
        self._ending = threading.Event()
        self._file: int | None = None
        self._size = 0
        self._second: tuple[int, str] = (0, "")
        self.dropped = 0
        self._untold = 0
        self.problem = ""
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def write(self, record: AuditRecord) -> None:
        if len(self._queue) >= MAX_QUEUED:
            self.dropped += 1
            self._untold += 1
            return
        self._queue.append(self._line(record))
        if not self._wanted.is_set():
            self._wanted.set()

    def limit(self, *, max_bytes: int, keep: int) -> None:
        """New limits, from the next batch on."""
        self._max_bytes = max_bytes
        self._keep = keep

    def stop(self) -> None:
        """Write what is queued and end the thread. Blocks for as long as the disk does, 5 s at most."""
        self._ending.set()
        self._wanted.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            # Gathers a batch: one write a tenth of a second, however many requests.
            self._ending.wait(FLUSH_S)
            self._wanted.clear()
            # Only now: what is queued or stopped from here on sets `_wanted` again.
            stopping = self._ending.is_set()
            try:
                self._drain()
                self.problem = ""
            except OSError as error:
                self.problem = error.strerror or str(error)
                self._close()
                if not stopping:
                    self._ending.wait(RETRY_S)
                    self._wanted.set()
            if stopping:
                self._close()
                return

    def _drain(self) -> None:
        while self._queue:
            batch = [self._queue[index] for index in range(min(len(self._queue), 2000))]
            untold = self._untold
            text = "".join(batch)
            if untold:
                text += json.dumps({"time": _iso(time.time()), "kind": "lost", "records": untold}) + "\n"
            self._append(text.encode())
            for _ in batch:
                self._queue.popleft()
            self._untold -= untold

    def _append(self, data: bytes) -> None:
        if self._file is not None and not self._in_place():
            self._close()
        if self._file is None:
            self._open()
        elif self._size and self._size + len(data) > self._max_bytes:
            self._rotate()
        assert self._file is not None
        start = self._size
        written = 0
        try:
            while written < len(data):
                written += os.write(self._file, data[written:])
                self._size = start + written
        except OSError:
            # Half a line would spoil the next one.
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, start)
                self._size = start
            raise

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._file = os.open(self._path, flags, MODE)
        os.fchmod(self._file, MODE)
        self._size = os.fstat(self._file).st_size
        # A worker that was killed may have left half a line.
        if self._size and os.pread(self._file, 1, self._size - 1) != b"\n":
            os.write(self._file, b"\n")
            self._size += 1

    def _in_place(self) -> bool:
        """Whether the open file is still the one at our path: a person may have removed it."""
        assert self._file is not None
        try:
            return os.path.samestat(os.fstat(self._file), self._path.stat())
        except FileNotFoundError:
            return False

    def _rotate(self) -> None:
        self._close()
        rotated = rotated_paths(self._path)
        for path in rotated[max(self._keep - 1, 0) :] if self._keep else rotated:
            path.unlink(missing_ok=True)
        if self._keep:
            for number in range(min(len(rotated), self._keep - 1), 0, -1):
                _numbered(self._path, number).replace(_numbered(self._path, number + 1))
            self._path.replace(_numbered(self._path, 1))
        else:
            self._path.unlink(missing_ok=True)
        self._open()

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _line(self, record: AuditRecord) -> str:
        """By hand, because json.dumps of a dict costs three times as much and this runs for every request."""
        second = int(record.time)
        if second != self._second[0]:
            self._second = (second, datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S"))
        milliseconds = int((record.time - second) * 1000)
        credential = "null" if record.credential is None else quoted(record.credential)
        upgrade = "" if record.upgrade is None else f', "upgrade": {quoted(record.upgrade)}'
        error = "" if record.error is None else f', "error": {quoted(record.error)}'
        return (
            f'{{"time": "{self._second[1]}.{milliseconds:03d}Z", "kind": "{record.kind}",'
            f' "session": {quoted(record.session_name)}, "id": {quoted(record.session)},'
            f' "host": {quoted(record.host)}, "port": {record.port}, "method": {quoted(record.method)},'
            f' "path": {quoted(record.path)}, "status": {record.status}, "bytes_up": {record.bytes_up},'
            f' "bytes_down": {record.bytes_down}, "duration_ms": {record.duration * 1000:.1f},'
            f' "rule": {quoted(record.rule)}, "credential": {credential},'
            f' "refused": {"true" if record.refused else "false"}{upgrade}{error}}}\n'
        )


def rotated_paths(path: Path) -> list[Path]:
    """The rotated files there are, newest first: `audit.jsonl.1`, `.2`, ..."""
    found = []
    number = 1
    while _numbered(path, number).exists():
        found.append(_numbered(path, number))
        number += 1
    return found


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
