"""Records a scenario against the real tools: holds every call back until what it waits for is known.

Each call is let go only when nothing else stirs, and one at a time. So whatever begins after a release was
waiting for it, and the transcript says which calls really stand side by side instead of how they happened to fall.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clauderon.git.environment import HARDENED
from tests.transcripts import placeholders, replayer
from tests.transcripts.format import Entry, Transcript

# How long nothing may begin, end or compute before a call is let go.
SETTLE_S = 0.25
# A tool that still runs may yet say what its caller waits for. One that runs for ever (`logs -f`) must not hold
# everything up.
LONGEST_HOLD_S = 4.0
LONGEST_STDIN = 4096


class SecretRecorded(AssertionError):
    """A secret reached a command line, an input or an output: a bug in the product."""


@dataclass
class _Call:
    begun: dict[str, Any]
    after: int
    connection: socket.socket
    ended: bool = False
    answer: dict[str, Any] | None = None
    released: bool = False
    order: int = 0

    @property
    def key(self) -> tuple[int, list[str]]:
        return (self.after, self.begun["argv"])


@dataclass
class Recorder:
    """bin_dir: goes first on PATH. real: tool to the path of the real one. secrets: must never be seen.

    fixed: values of WORK and ENGINE. add: extra environment a tool gets. user: uid to run the tools as.
    compared: tools that will answer for real in a replay. What they say on stderr differs from version to version
    and is not recorded.
    """

    bin_dir: Path
    real: Mapping[str, str]
    secrets: tuple[str, ...]
    fixed: dict[str, str]
    add: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    user: int | None = None
    compared: tuple[str, ...] = ()
    _calls: list[_Call] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stirred: float = 0.0
    _event: float = 0.0
    _released: int = 0
    _done: bool = False
    _socket: str = ""

    @contextlib.contextmanager
    def running(self) -> Iterator[Recorder]:
        """Calls are recorded in here."""
        with tempfile.TemporaryDirectory(prefix="cldn-rec-") as directory:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(f"{directory}/socket")
            listener.listen(64)
            # The tools may run as another user.
            Path(directory).chmod(0o755)
            self._socket = f"{directory}/socket"
            replayer.install(self.bin_dir, self.real)
            self.order(self.add, self.user)
            threads = [
                threading.Thread(target=self._accept, args=(listener,), daemon=True),
                threading.Thread(target=self._schedule, daemon=True),
            ]
            for thread in threads:
                thread.start()
            try:
                yield self
            finally:
                self._done = True
                with contextlib.suppress(OSError):
                    listener.shutdown(socket.SHUT_RDWR)  # closing alone does not wake who accepts
                listener.close()
                for thread in threads:
                    thread.join()
                (self.bin_dir / "recorder").unlink()

    def order(self, add: Mapping[str, Mapping[str, str]], user: int | None) -> None:
        """Run the tools with this environment and uid from here on."""
        self.add, self.user = add, user
        if self._socket:
            orders = {"socket": self._socket, "real": dict(self.real), "add": {**add}, "user": user}
            (self.bin_dir / "recorder").write_text(json.dumps(orders))

    def _accept(self, listener: socket.socket) -> None:
        while not self._done:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._listen, args=(connection,), daemon=True).start()

    def _listen(self, connection: socket.socket) -> None:
        """Hear one call to its end. The connection is closed here, or with the byte that releases the call."""
        with connection.makefile("rb") as lines:
            first = lines.readline()
            if not first:
                connection.close()
                return
            with self._lock:
                call = _Call(json.loads(first), self._released, connection)
                self._calls.append(call)
                self._stirred = self._event = time.monotonic()
            second = lines.readline()
            if second and "ended" in json.loads(second):
                with self._lock:
                    call.ended = True
                second = lines.readline()
            with self._lock:
                if second:
                    call.answer = json.loads(second)
                else:
                    call.released = True  # it was killed: the caller did not wait for it
                    connection.close()
                self._stirred = self._event = time.monotonic()

    def _schedule(self) -> None:
        spent = 0
        while True:
            time.sleep(0.02)
            with self._lock:
                held = [c for c in self._calls if c.answer is not None and not c.released]
                if self._done and not held:
                    return
                parents = {c.begun["parent"] for c in self._calls if not c.released}
                known = {c.begun["pid"] for c in self._calls}
                now_spent = sum(_cpu_ticks(parent) for parent in parents)
                now = time.monotonic()
                if now_spent != spent:
                    spent, self._stirred = now_spent, now
                if not held or now - self._stirred < SETTLE_S:
                    continue
                busy = any(not (c.ended or c.answer or c.released) for c in self._calls)
                if (busy or _is_about(parents, known)) and now - self._event < LONGEST_HOLD_S:
                    self._stirred = now
                    continue
                call = min(held, key=lambda c: c.key)
                self._released += 1
                call.order, call.released = self._released, True
                self._stirred = self._event = time.monotonic()
                with contextlib.suppress(OSError):
                    call.connection.sendall(b".")
                call.connection.close()

    def transcript(self, header: Mapping[str, str]) -> Transcript:
        """What was recorded, in an order that the next recording will find again. Raises SecretRecorded."""
        calls = [call for call in self._calls if call.answer is not None]
        self._check_secrets(calls)
        by_order = {call.order: call for call in calls}
        position: dict[int, int] = {0: 0}
        ordered: list[_Call] = []
        # A call stands after what it waited for; those that waited for the same stand side by side, by their words.
        while len(ordered) < len(calls):
            ready = [c for c in calls if c.after in position and c not in ordered]
            call = min(ready, key=lambda c: (position[c.after], c.begun["argv"]))
            ordered.append(call)
            position[next(o for o, c in by_order.items() if c is call)] = len(ordered)
        numbering = placeholders.Numbering(self.fixed)
        entries = tuple(self._entry(call, position[call.after], numbering) for call in ordered)
        kinds = " ".join(numbering.kinds)
        used: dict[str, tuple[str, ...]] = (
            {"hardened": HARDENED} if any(call.begun["argv"][0] == "git" for call in calls) else {}
        )
        return Transcript({**header, "placeholders": kinds} if kinds else dict(header), entries, used)

    def _entry(self, call: _Call, after: int, numbering: placeholders.Numbering) -> Entry:
        answer = call.answer
        assert answer is not None
        stdin = answer["stdin"].encode("latin-1")
        digest = f"{hashlib.sha256(stdin).hexdigest()} {len(stdin)}" if len(stdin) > LONGEST_STDIN else ""

        def theirs(data: str) -> placeholders.Text:
            text = data.encode("latin-1").decode("utf-8", "surrogateescape")
            return numbering.pieces(text, ours=False)

        return Entry(
            argv=tuple(numbering.pieces(word, ours=True) for word in call.begun["argv"]),
            cwd=numbering.pieces(call.begun["cwd"], ours=True),
            env=tuple(numbering.pieces(pair, ours=True) for pair in call.begun["env"]),
            after=after,
            stdin=() if digest else numbering.pieces(stdin.decode("utf-8", "surrogateescape"), ours=True),
            stdin_digest=digest,
            stdout=theirs(answer["stdout"]),
            stderr=() if call.begun["argv"][0] in self.compared else theirs(answer["stderr"]),
            signals=tuple(answer["signals"]),
            outcome=answer["outcome"],
        )

    def _check_secrets(self, calls: list[_Call]) -> None:
        forms = {
            form
            for secret in self.secrets
            if len(secret) >= 8
            for form in (secret, base64.b64encode(secret.encode()).decode().rstrip("="))
        }
        for call in calls:
            seen = json.dumps([call.begun, call.answer], ensure_ascii=False)
            if any(form in seen for form in forms):
                shown = " ".join(call.begun["argv"][:3])
                raise SecretRecorded(f"a known secret appears in a call of `{shown}`; nothing was written")


def _cpu_ticks(pid: int) -> int:
    """User and system time of a process so far, in clock ticks; 0 once it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def _is_about(parents: set[int], known: set[int]) -> bool:
    """Whether a child of `parents` has yet to say which call it is: a busy machine starts programs slowly."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) in parents and state != "Z" and int(stat.parent.name) not in known:
            return True
    return False


def real_tools(path: str) -> dict[str, str]:
    """The real docker and git on `path`. Raises AssertionError when one is missing."""
    found = {tool: shutil.which(tool, path=path) for tool in replayer.TOOLS}
    missing = [tool for tool, where in found.items() if where is None]
    assert not missing, f"not on PATH: {', '.join(missing)}"
    return {tool: os.fspath(where) for tool, where in found.items() if where is not None}
