"""The proxy itself: one event loop around the data plane. Everything it needs to go on after a crash is elsewhere.

The supervisor holds its sockets and secrets, the database its sessions; so a worker can die at any instant.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import clauderon
from clauderon.errors import BackendError, ClauderonError, UsageError
from clauderon.paths import Home
from clauderon.proxy.audit.log import AuditLog
from clauderon.proxy.ca import authority, leaves
from clauderon.proxy.daemon import health, metrics, renewal, rlimits, snapshot, unix_socket
from clauderon.proxy.daemon.accounting import Accounting
from clauderon.proxy.daemon.channel import Channel, Closed, Message
from clauderon.proxy.daemon.keeper import Keeper
from clauderon.proxy.daemon.ports import Listening
from clauderon.proxy.daemon.snapshot import Snapshot
from clauderon.proxy.secrets import source as secret_source
from clauderon.proxy.secrets.grants import LiveGrants

BEAT_S = 2.0
DRAIN_S = 5.0
# How often a port is tried again that another program had, or whose bridge was not there.
RETRY_S = 5.0
# How often config.toml and secrets/ are looked at, which a person changes by hand.
LOOK_S = 1.0
CONTROL = "control"
MIB = 1 << 20

log = logging.getLogger("clauderon.proxy")


class Worker:
    """The process that does the proxy's work: it serves sessions, reloads, answers the control socket."""

    def __init__(self, channel: Channel, hello: Message, held: dict[str, int]) -> None:
        self._channel, self._hello, self._held = channel, hello, held
        self._home = Home(Path(hello["home"]))
        self._environ: Mapping[str, str] = dict(os.environ)
        self._given = secret_source.parse_plain(hello["given"])
        self._place = self._home, self._environ
        self._keeper = Keeper(*self._place, self._reload_quietly)
        self._started_at, self._gone = time.time(), False
        self._finished = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._dropped: asyncio.Future[None]
        self._looked: tuple[object, object]  # what the files, and the roots, were like when last read
        self._unread = ""  # why they could not be read again
        self._snapshot: Snapshot

    async def run(self) -> None:
        """Serve until told to stop or the supervisor is gone."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._finished.set)
        loop.add_signal_handler(signal.SIGINT, lambda: None)
        loop.add_signal_handler(signal.SIGHUP, self._reload_soon)
        loop.add_reader(self._channel.fileno(), self._hear)
        await asyncio.to_thread(authority.ensure, self._home)
        self._authority = leaves.Authority.load(self._home)
        async with self._reloading:
            await self._begin()
            self._tell_supervisor()
            self._channel.send("ready")
        try:
            await self._serve()
        finally:
            await self._close()

    async def _begin(self) -> None:
        """Listen by the configuration there is or, if that cannot be used, by what a worker before us could use."""
        looked = snapshot.look(*self._place)
        earlier = self._hello["config"]
        try:
            await self._listen(None)
        except (UsageError, BackendError) as error:
            if earlier is None:
                raise
            log.warning("%s", error)
            await self._listen(earlier.encode())
            self._keep_to_earlier(error)
        self._looked = looked, self._plane.routes.trusted

    async def _listen(self, raw: bytes | None) -> None:
        """raw: what to take for config.toml's content; None reads it."""
        from clauderon.proxy.dataplane.server import DataPlane

        self._snapshot = await asyncio.to_thread(snapshot.read, *self._place, self._given, raw=raw)
        config = self._snapshot.config
        max_bytes = config.proxy.audit_max_mib * MIB
        self._audit = AuditLog(self._home.audit, max_bytes=max_bytes, keep=config.proxy.audit_keep)
        self._grants = LiveGrants(*self._keeper.lending(self._snapshot))
        self._accounting = await asyncio.to_thread(Accounting.begin, self._home, self._snapshot)
        self._plane = DataPlane(
            leaves=self._authority,
            credentials=self._grants,
            audit=self._audit,
            settings=config.proxy,
            environ=self._environ,
            meter=self._accounting.meter,
        )
        metrics.serve(self._plane, self._home, self._started_at, lambda: self._snapshot.policies)
        self._listening = Listening(self._plane, self._channel, self._drop, self._held, health.health)
        try:
            await self._listening.reconcile(self._snapshot)
        except BaseException:
            await self._plane.drain(0.0)
            raise
        self._audit.start()

    async def _serve(self) -> None:
        """With the sessions served, the rest: control last, because importing it takes longest."""
        from clauderon.proxy.daemon.control import Control

        control = Control(
            status=self.status,
            reload=self.reload,
            offer=self.offer,
            stop=lambda: self._channel.send("stop"),
        )
        if CONTROL in self._held:
            sock = socket.socket(fileno=self._held.pop(CONTROL))
        else:
            sock = unix_socket.listen(self._home.control_socket)
            self._channel.send("keep", [sock.fileno()], names=[CONTROL])
        await control.start(sock)
        beside = (self._beat(), self._retry(), self._look(), self._accounting.run(), self._keeper.run())
        tasks = [asyncio.create_task(one) for one in (*beside, renewal.run(self._home, self._authority))]
        try:
            await self._finished.wait()
        finally:
            for task in tasks:
                task.cancel()
            await control.close()

    async def _close(self) -> None:
        # An orphan lets go of the ports at once, so that the next service can have them.
        await self._plane.drain(0.0 if self._gone else DRAIN_S)
        self._audit.stop()
        self._accounting.close()
        self._authority.close()

    async def reload(self, secrets: Mapping[str, Any]) -> dict[str, Any]:
        """Take over secrets, read everything again and bring the listeners in line. Returns `status`.

        Raises ClauderonError for a configuration that cannot be used; what is served goes on as it was.
        """
        async with self._reloading:
            given = secret_source.taken_over(self._given, secrets)
            self._looked = snapshot.look(*self._place), self._plane.routes.trusted_now()
            fresh = await asyncio.to_thread(snapshot.read, *self._place, given)
            settings = fresh.config.proxy
            if settings != self._snapshot.config.proxy or self._looked[1] != self._plane.routes.trusted:
                self._plane.update_settings(settings)
                self._audit.limit(max_bytes=settings.audit_max_mib * MIB, keep=settings.audit_keep)
            self._authority.refresh(self._home)
            before = self._snapshot
            if fresh.lending != before.lending:
                self._grants.swap(*self._keeper.lending(fresh))
                self._plane.update_credentials()
            self._accounting.use(fresh)
            await self._listening.reconcile(fresh)
            self._snapshot, self._given, self._unread = fresh, dict(fresh.given), ""
            if (fresh.given, fresh.records, fresh.raw) != (before.given, before.records, before.raw):
                self._tell_supervisor()
            return self.status()

    async def offer(self, secrets: Mapping[str, Any]) -> dict[str, Any]:
        """As `reload` if one of the secrets is not held as it is; else nothing is read."""
        offered = secret_source.parse_plain(secrets)
        if all(self._given.get(name) == item for name, item in offered.items()):
            return self.status()
        return await self.reload(secrets)

    def status(self) -> dict[str, Any]:
        """What `proxy status` shows, as JSON; `status.ServiceStatus` reads it."""
        fresh = self._snapshot
        known = authority.recorded(self._home)
        return {
            "version": clauderon.__version__,
            "pid": os.getpid(),
            "supervisor_pid": self._hello["supervisor"],
            "home": str(self._home.root),
            "port": fresh.config.proxy.port,
            "started_at": self._hello["started_at"],
            "worker_started_at": self._started_at,
            "restarts": self._hello["restarts"],
            "held": dict(fresh.origins),
            "lacking": list(fresh.lacking),
            "problems": [
                *self._unread.splitlines(),
                *fresh.problems,
                *self._listening.problems.values(),
                *self._keeper.problems(),
                *self._accounting.problems(),
            ],
            "listeners": self._listening.names(),
            "ca_fingerprint": known.fingerprint if known else "",
            "ca_not_after": known.not_after if known else 0,
            "audit_dropped": self._audit.dropped,
            "audit_problem": self._audit.problem,
            "sessions": self._listening.rows(fresh.policies.values()),
        }

    def _tell_supervisor(self) -> None:
        self._channel.send("given", given=secret_source.plain(self._given))
        self._channel.send("config", raw=self._snapshot.raw.decode())
        self._channel.send("watch", records=dict(self._snapshot.records))

    async def _drop(self, names: list[str]) -> None:
        """Have the supervisor close its copies, and wait until it has."""
        if names:
            self._dropped = asyncio.get_running_loop().create_future()
            self._channel.send("drop", names=names)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._dropped, BEAT_S)

    def _hear(self) -> None:
        try:
            for message, _descriptors in self._channel.receive():
                if message["op"] == "dropped" and not self._dropped.done():
                    self._dropped.set_result(None)
                elif message["op"] == "reload":
                    self._reload_soon()
        except Closed:
            asyncio.get_running_loop().remove_reader(self._channel.fileno())
            self._gone = True
            self._finished.set()

    def _reload_soon(self) -> None:
        self._reload_task = asyncio.ensure_future(self._reload_quietly())

    async def _reload_quietly(self) -> None:
        try:
            await self.reload({})
        except (ClauderonError, OSError) as error:
            log.warning("reload: %s", error)
            if not isinstance(error, Closed):
                self._keep_to_earlier(error)

    def _keep_to_earlier(self, error: Exception) -> None:
        self._unread = f"the earlier configuration still applies: {error}"

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            if (snapshot.look(*self._place), self._plane.routes.trusted_now()) != self._looked:
                await self._reload_quietly()

    async def _beat(self) -> None:
        while True:
            with contextlib.suppress(Closed):
                self._channel.send("beat")
            await asyncio.sleep(BEAT_S)

    async def _retry(self) -> None:
        while True:
            await asyncio.sleep(RETRY_S)
            if self._listening.problems:
                async with self._reloading:
                    await self._listening.reconcile(self._snapshot)


def main() -> int:
    """Run the worker on the channel in argv; the process's exit status."""
    rlimits.apply()
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s proxy: %(name)s: %(message)s")
    try:
        hello, held = channel.receive_hello()
    except Closed:
        return 1
    import uvloop

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(Worker(channel, hello, held).run())
    except ClauderonError as error:
        with contextlib.suppress(Closed):
            channel.send("fatal", text=f"{error}\t{error.hint or ''}")
        return 1
    except Closed:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
