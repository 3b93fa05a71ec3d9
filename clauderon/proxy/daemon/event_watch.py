"""Notices what happens to sessions, writes it down as events, and runs the person's hooks for it.

Looks about once a second, runs no git and asks no engine. A hook can neither fail nor delay what it is told of.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from clauderon import config, events, proc
from clauderon.errors import ClauderonError
from clauderon.paths import Home
from clauderon.proxy.daemon import logfile

if TYPE_CHECKING:
    import subprocess

# How many hooks run at one time, and how many may wait. Further ones are left out, and the log says so.
AT_ONCE = 4
MOST_WAITING = 100
DEADLINE_S = 60.0
# A container writes its own activity, and must not be able to start a hook at every look.
SESSION_REST_S = 10.0
# The command for the desktop where there is no hook. A container's words become arguments of it, never shell code.
_DESKTOP = """
about=${CLAUDERON_EVENT_SESSION:-$CLAUDERON_EVENT_OF}
case $CLAUDERON_EVENT in
waiting) said="waits for ${CLAUDERON_EVENT_WAITING_FOR:-you}" ;;
done) said="is done" ;;
failed) said="failed (${CLAUDERON_EVENT_EXIT_STATUS:-?})" ;;
budget)
    said="used up its budget"
    case $CLAUDERON_EVENT_SHARE in 0*) said="used 80 % of its budget" ;; esac
    ;;
esac
if command -v osascript >/dev/null; then
    exec osascript -e 'on run words' -e 'display notification (item 2 of words) with title (item 1 of words)' \\
        -e 'end run' -- "clauderon: $about" "$said"
fi
exec notify-send --app-name=clauderon -- "clauderon: $about" "$said"
"""
_ON_DESKTOP = ("on_waiting", "on_done", "on_failed", "on_budget")
_RUN = 'exec >>"$1" 2>&1; printf "%s\\n" "$CLAUDERON_EVENT_JSON" | eval "$2"'


class _Running(NamedTuple):
    child: subprocess.Popen[bytes]
    since: float
    what: str


class _Seen:
    """What a session's agent said last, and whether its end was told."""

    def __init__(self, record: str) -> None:
        self.record = record
        self.said: tuple[str, str] | None = None  # None before the first look
        self.told_at = self.ended_at = -SESSION_REST_S


class EventWatch:
    """environ: what hooks are started with."""

    def __init__(self, home: Home, environ: Mapping[str, str]) -> None:
        self._home = home
        self._environ = {**environ, "CLAUDERON_HOME": str(home.root)}
        self._seen: dict[str, _Seen] = {}
        self._hooks: Mapping[str, str] = {}
        self._tail = events.Tail(home)
        self._waiting: deque[dict[str, Any]] = deque()
        self._running: list[_Running] = []

    def set_sessions(self, records: Mapping[str, str]) -> None:
        """The sessions to watch: id to `record.Session.to_json`."""
        for gone in self._seen.keys() - records.keys():
            del self._seen[gone]
        for session_id, record in records.items():
            self._seen.setdefault(session_id, _Seen(record)).record = record

    def set_config(self, raw: str) -> None:
        """The hooks of this config.toml; of one that cannot be read, those of the last."""
        with contextlib.suppress(ClauderonError):
            read = config.load(self._home, self._environ, raw=raw.encode())
            desktop = dict.fromkeys(_ON_DESKTOP, _DESKTOP) if read.notify.desktop else {}
            own = {name: command for name, command in read.hooks._asdict().items() if command}
            self._hooks = {
                name: command for name, command in {**desktop, **own}.items() if name != "on_create"
            }

    def look(self) -> None:
        """Look at every session, start the hooks that are due, and end those whose time is up."""
        now = time.monotonic()
        for session_id, seen in self._seen.items():
            with contextlib.suppress(OSError, ValueError):
                self._look_at(session_id, seen, now)
        for event in self._tail.read():
            if f"on_{event.get('event')}" not in self._hooks:
                continue
            if len(self._waiting) >= MOST_WAITING:
                self._say(f"{event['event']}: left out, since {MOST_WAITING} others wait")
                continue
            self._waiting.append(event)
        self._running = [one for one in self._running if not self._is_done(one, now)]
        while self._waiting and len(self._running) < AT_ONCE:
            self._start(self._waiting.popleft(), now)

    def _look_at(self, session_id: str, seen: _Seen, now: float) -> None:
        from clauderon.agents import heard

        said = heard.said(self._home, session_id)
        before, seen.said = seen.said, said
        word, what = said
        if before is None or said == before:
            return
        if word == "done":
            status = heard.exit_status(self._home, session_id)
            if status is None or now - seen.ended_at < SESSION_REST_S:
                # Its status is written a moment later; an end soon after another is told when it has lasted.
                seen.said = before
            else:
                seen.ended_at = now
                self._tell(seen, "failed" if status else "done", exit_status=status)
        elif word == "waiting" and now - seen.told_at >= SESSION_REST_S:
            seen.told_at = now
            self._tell(seen, "waiting", waiting_for=what)

    def _tell(self, seen: _Seen, kind: str, **more: Any) -> None:
        from clauderon.record import Session

        facts = events.facts(Session.from_json(seen.record), self._home)
        events.append(self._home, kind, {**facts, **more})

    def _start(self, event: Mapping[str, Any], now: float) -> None:
        kind = str(event["event"])
        named = {
            f"CLAUDERON_EVENT_{key.upper()}": str(value) for key, value in event.items() if value is not None
        }
        env = {**self._environ, **named, "CLAUDERON_EVENT": kind, "CLAUDERON_EVENT_JSON": json.dumps(event)}
        log = self._home.logs / "hooks.log"
        what = f"on_{kind} of {event.get('session', 'all sessions')}"
        self._say(what)
        try:
            child = proc.attend(["sh", "-c", _RUN, "hook", str(log), self._hooks[f"on_{kind}"]], env=env)
        except ClauderonError as error:
            self._say(f"{what}: {error}")
            return
        self._running.append(_Running(child, now, what))

    def _is_done(self, one: _Running, now: float) -> bool:
        status = one.child.poll()
        if status is not None:
            if status:
                self._say(f"{one.what} ended with status {status}")
            return True
        if now - one.since < DEADLINE_S:
            return False
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(one.child.pid, signal.SIGKILL)
        one.child.wait()
        self._say(f"{one.what} did not end within {DEADLINE_S:g} s, and was killed")
        return True

    def _say(self, text: str) -> None:
        """A line in the hooks' log; a full disk must not end the service."""
        log = self._home.logs / "hooks.log"
        with contextlib.suppress(OSError):
            if log.exists() and log.stat().st_size > logfile.MAX_BYTES:
                log.replace(log.with_name(f"{log.name}.1"))
            with log.open("a") as file:
                file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")
