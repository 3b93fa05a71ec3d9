"""Keeps the proxy standing: holds its listening sockets and secrets, and replaces a worker that died.

Knows nothing of HTTP, TLS or sessions, so that there is little here to go wrong. Secrets are in its memory only.
`clauderon proxy run` becomes this; the first command that needs the proxy starts it in the background.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import clauderon
from clauderon import proc
from clauderon.config.schema import Config
from clauderon.errors import EXIT_CONFLICT, EXIT_FAILED, EXIT_OK, ClauderonError, Conflict
from clauderon.paths import Home
from clauderon.proxy.daemon import channel, lockfile, logfile, rlimits, systemd
from clauderon.proxy.daemon.branch_watch import BranchWatch
from clauderon.proxy.daemon.event_watch import EventWatch
from clauderon.proxy.secrets import source as secret_source

if TYPE_CHECKING:
    import subprocess

LOOK_EVERY_S = 1.0
# How long requests in flight may take once we are told to stop (`worker.DRAIN_S`), and some more.
STOP_GRACE_S = 8.0
# A worker that sends nothing for this long hangs: a healthy one sends something every 2 s.
SILENCE_S = 10.0
# Where this process itself did not run for so long (a paused machine), the worker gets its time again.
PAUSED_S = 3.0
START_S = 30.0
# A worker that dies is replaced at once this many times; after that each replacement waits a second.
QUICK_RESTARTS = 20
QUICK_WINDOW_S = 10.0
MAX_DELAY_S = 30.0
# The service ends once its first worker has failed to start this many times, since a person waits for an answer.
FIRST_TRIES = 3
FATAL = "fatal: "


def run(home: Home, config: Config, environ: Mapping[str, str]) -> NoReturn:
    """The foreground form. Gathers the secrets `environ` and the commands supply, then becomes the supervisor.

    By exec, so that no secret is left in the process's own environment. Raises Conflict if a service runs.
    """
    running = lockfile.holder(home)
    if running is not None:
        who = f"it runs already (pid {running['pid']})" if "pid" in running else "it is being started"
        raise Conflict("proxy run", who, hint="clauderon proxy stop")
    given, problems = secret_source.collect(config, home, environ)
    for problem in problems:
        logfile.say(problem)
    descriptor = secret_source.to_descriptor(given)
    argv = [sys.executable, "-P", "-m", "clauderon.proxy.daemon.supervisor", str(home.root), str(descriptor)]
    proc.replace(argv, env=secret_source.service_environ(environ))


def restart_delay_s(failures: int) -> float:
    """How long the next start waits after so many that failed, one after the other."""
    return min(0.1 * 2.0 ** min(failures, 16), MAX_DELAY_S)  # bounded, since a float holds no larger power


class Supervisor:
    """The process that holds listening sockets and secrets, and replaces a worker that died."""

    def __init__(
        self, home: Home, lock: lockfile.Lock, given: dict[str, Any], environ: Mapping[str, str]
    ) -> None:
        self._home = home
        self._lock = lock
        self._given = given
        self._config: str | None = None  # config.toml as the last worker could read it
        self._environ = {name: value for name, value in environ.items() if name != systemd.SOCKET}
        self._notify = environ.get(systemd.SOCKET, "")
        self._sockets: dict[str, int] = {}
        self._watch = BranchWatch(home, self._environ)
        self._events = EventWatch(home, self._environ)
        self._started_at = time.time()
        self._selector = selectors.DefaultSelector()
        self._child: subprocess.Popen[bytes] | None = None
        self._channel: channel.Channel | None = None
        self._ready = False
        self._ever_ready = False
        self._heard = 0.0
        self._looked = time.monotonic()
        self._restarts = -1
        self._failures = 0
        self._deaths: deque[float] = deque(maxlen=QUICK_RESTARTS)
        self._start_at: float | None = 0.0
        self._stop_by: float | None = None
        self._fatal = ""
        self._problem = ""  # why no worker starts, once one has been tried again in vain
        self._signals: list[int] = []

    def main(self) -> int:
        """Until told to stop, or until the first worker cannot start. Returns the exit status."""
        wakeup, poke = socket.socketpair()
        wakeup.setblocking(False)
        poke.setblocking(False)
        signal.set_wakeup_fd(poke.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            # Only noted here: a handler runs between any two steps of the loop.
            signal.signal(number, lambda received, _frame: self._signals.append(received))
        self._selector.register(wakeup, selectors.EVENT_READ)
        self._write_lock()
        try:
            while True:
                if self._child is None and self._stop_by is not None:
                    return EXIT_OK
                if self._child is None and self._start_at is not None and time.monotonic() >= self._start_at:
                    self._spawn()
                for key, _ in self._selector.select(self._pause()):
                    if key.fileobj is wakeup:
                        with contextlib.suppress(BlockingIOError):
                            wakeup.recv(4096)
                    else:
                        self._hear()
                self._obey()
                if self._tend() is not None:
                    return EXIT_FAILED
        finally:
            self._watch.stop()
            self._home.control_socket.unlink(missing_ok=True)
            signal.set_wakeup_fd(-1)

    def _obey(self) -> None:
        while self._signals:
            match self._signals.pop(0):
                case signal.SIGTERM | signal.SIGINT:
                    self._stop()
                case signal.SIGHUP:
                    self._reload()

    def _pause(self) -> float:
        if self._child is None and self._start_at is not None:
            return max(0.0, min(self._start_at - time.monotonic(), LOOK_EVERY_S))
        return LOOK_EVERY_S

    def _spawn(self) -> None:
        ours, theirs = channel.pair()
        argv = [sys.executable, "-P", "-m", "clauderon.proxy.daemon.worker", str(theirs.fileno())]
        try:
            with theirs:
                self._child = proc.attend(argv, env=self._environ, pass_fds=[theirs.fileno()])
            self._channel = ours
            self._ready = False
            self._heard = time.monotonic()
            self._restarts += 1
            self._selector.register(ours, selectors.EVENT_READ)
            self._introduce(ours)
        except channel.Closed:
            logfile.say("the worker ended before it was told anything")
        except ClauderonError as error:
            # An upgrade may have taken our interpreter away for a moment.
            logfile.say(f"the worker cannot be started: {error}")
            ours.close()
            self._start_at = time.monotonic() + 1.0

    def _introduce(self, ours: channel.Channel) -> None:
        names = list(self._sockets)
        for start in range(0, len(names), channel.FDS_PER_MESSAGE):
            some = names[start : start + channel.FDS_PER_MESSAGE]
            ours.send("held", [self._sockets[name] for name in some], names=some)
        ours.send(
            "hello",
            home=str(self._home.root),
            given=self._given,
            config=self._config,
            restarts=self._restarts,
            started_at=self._started_at,
            supervisor=os.getpid(),
        )

    def _hear(self) -> None:
        assert self._channel is not None
        try:
            for message, descriptors in self._channel.receive():
                self._heard = time.monotonic()
                self._take(message, descriptors)
        except channel.Closed:
            self._forget_channel()

    def _take(self, message: channel.Message, descriptors: list[int]) -> None:
        match message["op"]:
            case "ready":
                self._ready = self._ever_ready = True
                self._failures = 0
                if self._problem:
                    self._problem = ""
                    self._write_lock()
                systemd.notify_ready(self._notify)
            case "keep":
                for name, descriptor in zip(message["names"], descriptors, strict=True):
                    self._drop(name)
                    self._sockets[name] = descriptor
            case "drop":
                for name in message["names"]:
                    self._drop(name)
                if self._channel is not None:
                    self._channel.send("dropped")
            case "given":
                self._given = message["given"]
                self._write_lock()
            case "config":
                self._config = message["raw"]
                self._events.set_config(message["raw"])
            case "watch":
                self._watch.set_sessions(message["records"])
                self._events.set_sessions(message["records"])
            case "stop":
                self._stop()
            case "fatal":
                self._fatal = message["text"]

    def _tend(self) -> str | None:
        """Reap, replace, watch. Returns why the service has to end, or None."""
        now = time.monotonic()
        if now - self._looked > PAUSED_S:
            self._heard = now
        self._looked = now
        if self._child is not None and self._child.poll() is not None:
            self._hear_the_rest()
            ended = self._ended(self._child.returncode, now)
            self._child = None
            if ended is not None:
                return ended
        elif self._child is not None:
            overdue = self._stop_by is not None and now > self._stop_by
            silent = now - self._heard > (SILENCE_S if self._ready else START_S)
            if overdue or silent:
                logfile.say("the worker hangs: killing it" if silent else "requests in flight took too long")
                self._child.kill()
                self._child.wait()
        if self._stop_by is None:
            if not self._lock.in_place():
                logfile.say("its home was removed or unmounted: stopping")
                self._stop()
                return None
            self._watch.look()
            self._events.look()
        logfile.trim(self._home.logs / "proxy.log")
        return None

    def _ended(self, status: int, now: float) -> str | None:
        """A worker ended: say so and decide when the next one starts."""
        if self._stop_by is not None:
            return None
        how = f"signal {-status}" if status < 0 else f"status {status}"
        if self._ready:
            self._deaths.append(now)
            often = len(self._deaths) == QUICK_RESTARTS and now - self._deaths[0] < QUICK_WINDOW_S
            delay = 1.0 if often else 0.0
        else:
            self._failures += 1
            delay = restart_delay_s(self._failures)
        if not self._ever_ready and (self._fatal or self._failures >= FIRST_TRIES):
            why = self._fatal or f"the worker cannot start ({how})"
            logfile.say(FATAL + why)
            return why
        why = f": {self._fatal}" if self._fatal else ""
        logfile.say(
            f"the worker ended with {how}{why}; the next one starts" + (f" in {delay:.1f} s" if delay else "")
        )
        if self._ever_ready and self._failures > 1:
            self._problem = self._fatal or f"it ended with {how}"
            self._write_lock()
        self._fatal = ""
        self._start_at = now + delay
        return None

    def _hear_the_rest(self) -> None:
        for _ in range(1000):
            if self._channel is not None:
                self._hear()
        self._forget_channel()

    def _forget_channel(self) -> None:
        if self._channel is not None:
            self._selector.unregister(self._channel)
            self._channel.close()
            self._channel = None

    def _stop(self) -> None:
        """Let go of the ports, and let the worker finish what is in flight; a second time, at once."""
        if self._stop_by is None:
            self._stop_by = time.monotonic() + STOP_GRACE_S
            for name in list(self._sockets):
                self._drop(name)
            if self._child is not None:
                self._child.terminate()
        else:
            self._stop_by = 0.0

    def _reload(self) -> None:
        """Read everything again; without a worker, try at once whether one starts now."""
        if self._child is None and self._start_at is not None:
            self._start_at = 0.0
        if self._channel is not None:
            with contextlib.suppress(channel.Closed):
                self._channel.send("reload")

    def _drop(self, name: str) -> None:
        descriptor = self._sockets.pop(name, None)
        if descriptor is not None:
            os.close(descriptor)

    def _write_lock(self) -> None:
        held = {name: origin for name, (_value, origin) in self._given.items()}
        facts = {"pid": os.getpid(), "version": clauderon.__version__, "held": held}
        self._lock.write({**facts, "problem": self._problem, "failures": self._failures})


def main() -> int:
    """Run the supervisor for the home in argv; the process's exit status."""
    rlimits.apply()
    home = Home(Path(sys.argv[1]))
    given = secret_source.from_descriptor(int(sys.argv[2])) if len(sys.argv) > 2 else {}
    home.create()
    lock = lockfile.acquire(home)
    if lock is None:
        logfile.say("another service runs for this home; leaving it alone")
        return EXIT_CONFLICT
    home.control_socket.unlink(missing_ok=True)
    return Supervisor(home, lock, given, os.environ).main()


if __name__ == "__main__":
    sys.exit(main())
