"""The audit: one JSON line per request in `audit.jsonl`, written by a thread of its own, rotated by size.

The event loop only appends the record to a queue; once some have come together it makes their lines in one go, which
costs a third of making each beside its request, where everything it needs is out of the processor's cache. All of them
made in the thread would hold up the loop: it lets go of the interpreter at every TLS operation and would get it back
only after a switch interval. A disk that is full or slow never stops a request; what could not be written is counted,
and the count is written once there is room again.

No session can push out what another's requests left: a line has a longest length, refusals that repeat are counted
(`repeats`), the queue keeps room for those who have little in it, and of what a rotation would drop each session
keeps its share (`share`).
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections import Counter, deque
from datetime import UTC, datetime
from itertools import islice
from operator import itemgetter
from pathlib import Path

from clauderon.proxy.audit import share
from clauderon.proxy.audit.line import Lines
from clauderon.proxy.audit.record import AuditRecord
from clauderon.proxy.audit.repeats import WINDOW_S, Counted, Repeats

# How late a line may be, and what a kill -9 may cost.
FLUSH_S = 0.1
# After a failed write.
RETRY_S = 1.0
# About 40 MB of lines; at that rate the disk is the problem.
MAX_QUEUED = 100_000
# How many lines are made in one go: few enough that nobody waits for them (a tenth of a millisecond).
BATCH = 32
# A session may still add to a full queue until it has one in this many of its places.
ROOM = 8
MODE = 0o600

_session_of, _line_of = itemgetter(0), itemgetter(1)


class AuditLog:
    """Implements `dataplane.session.Audit`. `write` is called on the event loop, everything else on the thread."""

    def __init__(self, path: Path, *, max_bytes: int, keep: int) -> None:
        """max_bytes: the size at which the file is rotated; keep: how many rotated files stay."""
        self._path = path
        self._max_bytes = max_bytes
        self._keep = keep
        self._records: deque[AuditRecord] = deque()
        self._queue: deque[tuple[str, str]] = deque()  # session ids and lines
        # How many lines of each session are in it, from when it is full until it is half empty.
        self._queued: Counter[str] | None = None
        self._repeats = Repeats()
        self._line = Lines().line
        self._making = threading.Lock()  # lines of `_records`
        self._wanted = threading.Event()
        self._told = False  # `_wanted` is set, as far as the loop knows
        self._ending = threading.Event()
        self._file: int | None = None
        self._size = 0
        self.dropped = 0
        self._untold = 0
        self.problem = ""
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)

    def start(self) -> None:
        """Start the thread that writes."""
        self._thread.start()

    def write(self, record: AuditRecord) -> None:
        """Take a record; the thread writes it within a tenth of a second. Never blocks, never raises."""
        records = self._records
        records.append(record)
        if len(records) >= BATCH and self._making.acquire(blocking=False):
            try:
                self._make_lines()
            finally:
                self._making.release()
        if not self._told:
            self._told = True
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
            self._wanted.wait(WINDOW_S if self._repeats.waiting else None)
            # Gathers a batch: one write a tenth of a second, however many requests.
            self._ending.wait(FLUSH_S)
            self._wanted.clear()
            # Cleared only now, so that whatever is queued or stopped from here on sets `_wanted` again.
            self._told = False
            stopping = self._ending.is_set()
            try:
                self._drain(everything=stopping)
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

    def _make_lines(self) -> None:
        """Turn the records there are into lines; `_making` is held."""
        records = self._records
        made = []
        for _ in range(len(records)):
            record = records.popleft()
            # What passed has no need to be looked for among the repeats.
            if (record.error is None and not record.refused) or self._repeats.admit(record):
                made.append((record.session, self._line(record)))
        if self._queued is None and len(self._queue) + len(made) <= MAX_QUEUED:
            self._queue.extend(made)
        else:
            for session, line in made:
                self._put(session, line)

    def _put(self, session: str, line: str) -> None:
        if self._queued is None and len(self._queue) >= MAX_QUEUED:
            self._queued = Counter(map(_session_of, self._queue))
        if self._queued is not None:
            if len(self._queue) >= MAX_QUEUED and self._queued[session] >= MAX_QUEUED // ROOM:
                self.dropped += 1
                self._untold += 1
                return
            self._queued[session] += 1
        self._queue.append((session, line))

    def _put_counted(self, counted: Counted) -> None:
        """A line that counts several records."""
        more = "repeated" if counted.same else "others"
        line = f'{self._line(counted.record)[:-2]}, "{more}": {counted.times}}}\n'
        self._put(counted.record.session, line)

    def _drain(self, *, everything: bool = False) -> None:
        with self._making:
            self._make_lines()
            for counted in self._repeats.due(time.time(), everything=everything):
                self._put_counted(counted)
        while self._queue:
            with self._making:
                batch = list(islice(self._queue, 2000))
            untold = self._untold
            text = "".join(map(_line_of, batch))
            if untold:
                text += json.dumps({"time": _iso(time.time()), "kind": "lost", "records": untold}) + "\n"
            self._append(text.encode())
            with self._making:
                for _ in batch:
                    self._queue.popleft()
                # Keeps those alone that have something in it.
                if self._queued is not None:
                    self._queued -= Counter(map(_session_of, batch))
                    if len(self._queue) < MAX_QUEUED // 2:
                        self._queued = None
                self._untold -= untold

    def _append(self, data: bytes) -> None:
        if self._file is not None and not self._in_place():
            self._close()
        if self._file is None:
            self._open()
        elif self._size and self._size + len(data) > self._max_bytes:
            self._rotate()
        assert self._file is not None
        # Another may have added a line (`aside`).
        start = os.fstat(self._file).st_size
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
        # Newest first. One more than are kept may be there: what was carried out of those before.
        leaving = rotated[max(self._keep - 1, 0) :] if self._keep else [self._path, *rotated]
        draft = self._path.with_name(f"{self._path.name}.carried")
        try:
            carried = share.carry(leaving[::-1], draft, self._max_bytes)
        except OSError:
            carried = False  # a disk that is full: then the newest lines are worth more than old ones
        for path in leaving:
            path.unlink(missing_ok=True)
        if self._keep:
            for number in range(min(len(rotated), self._keep - 1), 0, -1):
                _numbered(self._path, number).replace(_numbered(self._path, number + 1))
            self._path.replace(_numbered(self._path, 1))
        if carried:
            draft.replace(_numbered(self._path, self._keep + 1))
        self._open()

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


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
