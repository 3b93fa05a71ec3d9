"""What a live view asks for again and again: all sessions, and one of them closely.

Every call opens the database for itself, so each may come from a thread of its own. An engine that is away for a while
must not end a view: what went wrong is a sentence of the answer.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from clauderon import airlock, names, proc
from clauderon.docker import Docker
from clauderon.docker.parse import Stats
from clauderon.errors import ClauderonError
from clauderon.proxy.audit.tally import Count
from clauderon.record import Session
from clauderon.session import lookup
from clauderon.session.context import Context, Progress
from clauderon.session.overview import Overview, cpu_and_memory, overview
from clauderon.store import Store

# Looks that are remembered for a session's bars.
HISTORY = 60
# Of a log, and of the audit, the newest so much is looked at.
_OUTPUT_LINES, _OUTPUT_BYTES, _AUDIT_BYTES = 400, 128 << 10, 2 << 20
_GLANCE_S = 5.0
_SIZE = "stty size <&0 2>/dev/null || stty size </proc/1/fd/0"


class Look(NamedTuple):
    """All sessions at one moment. traffic: bytes between looks, by session id; problem: why these are older, or ""."""

    sessions: Sequence[Overview]
    traffic: Mapping[str, Sequence[float]]
    problem: str = ""


class _Quiet:
    """A Reporter that keeps what is said to itself: a view has no stderr to say it on."""

    def note(self, text: str) -> None:
        """Nothing."""

    def warn(self, text: str) -> None:
        """Nothing."""

    @contextlib.contextmanager
    def progress(self, title: str) -> Iterator[Progress]:
        """Nothing is drawn."""
        yield _Unseen()


class _Unseen:
    drawn = False

    def update(self, done: float | None = None, total: float | None = None, text: str = "") -> None:
        """Nothing."""


class Feed:
    """The sessions of one home. Calls may come from several threads."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._count = Count(context.home.audit, context.home.audit_tally)
        self._stats: Mapping[str, Stats] = {}
        self._bytes: dict[str, int] = {}
        self._traffic: dict[str, deque[float]] = {}
        self._last = Look((), {})
        self._looking = threading.Lock()
        self._sizes: dict[str, tuple[int, int] | None] = {}

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment of what is started for this home."""
        return {**self._context.environ, "CLAUDERON_HOME": str(self._context.home.root)}

    @contextlib.contextmanager
    def opened(self) -> Iterator[Context]:
        """A Context of the calling thread's own, with a docker that has not been given up."""
        context = self._context
        with Store.open(context.home) as store:
            docker = Docker.of(context.config.docker, context.environ)
            yield context._replace(store=store, docker=docker, report=_Quiet())

    def look(self) -> Look:
        """All sessions now, with the CPU and memory that `measure` found last. Never raises ClauderonError."""
        with self._looking:
            try:
                with self.opened() as context:
                    found = overview(context, count=self._count)
            except ClauderonError as error:
                self._last = self._last._replace(problem=f"{error.what}: {error.why}")
                return self._last
            found = [one._replace(stats=self._stats.get(one.view.container_id)) for one in found]
            self._last = Look(found, self._moved(found))
            return self._last

    def measure(self) -> None:
        """Ask docker what the running ones use: takes a second or two. Never raises ClauderonError."""
        with contextlib.suppress(ClauderonError), self.opened() as context:
            self._stats = cpu_and_memory(context, self._last.sessions)

    def _moved(self, found: Sequence[Overview]) -> Mapping[str, Sequence[float]]:
        now = {one.view.session.id: one.asked.bytes_up + one.asked.bytes_down for one in found}
        for key, total in now.items():
            history = self._traffic.setdefault(key, deque(maxlen=HISTORY))
            history.append(max(0, total - self._bytes.get(key, total)))
        self._traffic = {key: self._traffic[key] for key in now}
        self._bytes = now
        return {key: list(history) for key, history in self._traffic.items()}

    def session(self, name: str) -> Session:
        """The session of that name. Raises NoSuchSession."""
        with self.opened() as context:
            return lookup.find(context, name)

    def requests(self, session_id: str, most: int = 100) -> list[dict[str, Any]]:
        """The newest lines of the audit about a session, oldest first."""
        found: deque[dict[str, Any]] = deque(maxlen=most)
        wanted = json.dumps(session_id).encode()
        for line in _tail(self._context.home.audit, _AUDIT_BYTES):
            if wanted in line:
                with contextlib.suppress(ValueError):
                    record = json.loads(line)
                    if isinstance(record, dict) and record.get("id") == session_id:
                        found.append(record)
        return list(found)

    def output(self, name: str) -> bytes:
        """The end of what an agent wrote to its terminal: bytes that nobody has looked at."""
        words = ["logs", "--tail", str(_OUTPUT_LINES), names.container(name)]
        with self.opened() as context:
            argv = context.docker.argv(*words)
            answer = proc.glance(argv, env=context.docker.env, timeout_s=_GLANCE_S)
        return (answer or b"")[-_OUTPUT_BYTES:]

    def terminal_size(self, name: str) -> tuple[int, int] | None:
        """Columns and lines of a running agent's terminal, asked once; None where the image has no `stty`."""
        if name not in self._sizes:
            with self.opened() as context:
                argv = context.docker.argv("exec", names.container(name), "sh", "-c", _SIZE)
                answer = proc.glance(argv, env=context.docker.env, timeout_s=_GLANCE_S)
            lines, columns = _two_numbers(answer or b"")
            self._sizes[name] = (columns, lines) if lines and columns else None
        return self._sizes[name]

    def patch(self, name: str) -> bytes:
        """What a session changed since its base, committed or not: git's patch. Raises ClauderonError."""
        with self.opened() as context:
            session = lookup.find(context, name)
            return airlock.diff(context.home, session, context.environ, person=True).patch


def _two_numbers(answer: bytes) -> tuple[int, int]:
    words = answer.split()
    if len(words) == 2 and all(word.isdigit() and len(word) < 5 for word in words):
        return int(words[0]), int(words[1])
    return 0, 0


def _tail(path: os.PathLike[str], most: int) -> list[bytes]:
    """The whole lines among a file's last `most` bytes."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - most))
            lines = file.read(most).split(b"\n")
    except OSError:
        return []
    return lines[:-1] if size <= most else lines[1:-1]
