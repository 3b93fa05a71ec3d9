"""Brings the sockets that are open in line with the ports that are wanted; the supervisor keeps a copy of each.

A port that cannot be had is a problem to report and to try again, and never in the way of the others.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from clauderon.errors import BackendError
from clauderon.proxy.daemon import addresses as listeners
from clauderon.proxy.daemon.addresses import Place
from clauderon.proxy.daemon.channel import FDS_PER_MESSAGE, Channel
from clauderon.proxy.daemon.snapshot import Snapshot
from clauderon.proxy.dataplane.server import DataPlane
from clauderon.proxy.dataplane.session import Counters
from clauderon.proxy.policy.session import SessionPolicy

MAIN = "main"
_OTHER_PORT = "[proxy] port in config.toml chooses another"


class Listening:
    """problems: why a session (by id) or the main port (`main`) does not listen everywhere it should."""

    def __init__(
        self,
        plane: DataPlane,
        channel: Channel,
        drop: Callable[[list[str]], Awaitable[None]],
        held: dict[str, int],
        health: Callable[[], Mapping[str, object]],
    ) -> None:
        """drop: returns once the supervisor has closed its copies; until then a port cannot be opened anew.
        held: sockets of the worker before us, by name; what is not wanted of them is closed."""
        self._plane = plane
        self._channel = channel
        self._drop = drop
        self._held = held
        self._health = health
        self._open: dict[str, set[Place]] = {}
        self._policies: Mapping[str, SessionPolicy] = {}
        self.problems: dict[str, str] = {}

    def names(self) -> list[str]:
        """What is listened on, `address:port`, sorted."""
        return sorted(str(place) for places in self._open.values() for place in places)

    def rows(self, policies: Iterable[SessionPolicy]) -> list[dict[str, Any]]:
        """A `status.SessionStatus` for each, as JSON has it."""
        return [
            {
                "id": policy.id,
                "name": policy.name,
                "port": policy.port,
                "access_mode": policy.access_mode,
                **asdict(self._plane.counters.get(policy.id) or Counters()),
                "unsafe": policy.unsafe,
                "problem": self.problems.get(policy.id, ""),
            }
            for policy in policies
        ]

    async def reconcile(self, wanted: Snapshot) -> None:
        """Raises BackendError, with nothing changed, if the main port cannot be had on loopback."""
        self.problems.clear()
        port = wanted.config.proxy.port
        goal = {MAIN: {Place(address, port) for address in wanted.addresses.main}}
        for policy in wanted.policies.values():
            goal[policy.id] = {Place(address, policy.port) for address in wanted.addresses.of(policy.id)}
        # The main port first: without it nothing else is touched.
        main = self._obtain(MAIN, goal[MAIN] - self._open.get(MAIN, set()))
        required = Place(listeners.LOOPBACK[0], port)
        if required not in main and required not in self._open.get(MAIN, set()):
            for sock in main.values():
                sock.close()
            await self._drop([str(place) for place in main])
            raise BackendError("proxy", self.problems[MAIN], hint=_OTHER_PORT)
        await self._let_go(goal)
        if main:
            await self._plane.listen_main(list(main.values()), self._health)
            self._open.setdefault(MAIN, set()).update(main)
        for policy in wanted.policies.values():
            served = policy.id in self._open
            sockets = self._obtain(policy.id, goal[policy.id] - self._open.get(policy.id, set()))
            if sockets or not served:
                await self._plane.listen_session(policy, list(sockets.values()))
            elif policy != self._policies.get(policy.id):
                self._plane.update_policy(policy)
            self._open.setdefault(policy.id, set()).update(sockets)
        self._policies = wanted.policies

    async def _let_go(self, goal: Mapping[str, set[Place]]) -> None:
        """Close what is not wanted any more, also of what a worker before us left.

        An owner's port is closed whole; a gateway that is not recorded any more stays until then.
        """
        dropped: list[str] = []
        for owner, places in list(self._open.items()):
            ports = {place.port for place in goal.get(owner, ())}
            stale = {place for place in places if place.port not in ports}
            if stale:
                dropped += [str(place) for place in places]
                del self._open[owner]
                await self._plane.close_session(owner)
        wanted = {str(place) for places in goal.values() for place in places}
        for name in [name for name in self._held if ":" in name and name not in wanted]:
            os.close(self._held.pop(name))
            dropped.append(name)
        await self._drop(dropped)

    def _obtain(self, owner: str, places: set[Place]) -> dict[Place, socket.socket]:
        """A listening socket for each place that can be had: the one held for us, or a new one."""
        found: dict[Place, socket.socket] = {}
        new: list[Place] = []
        for place in sorted(places):
            descriptor = self._held.pop(str(place), None)
            try:
                if descriptor is None:
                    found[place] = listeners.open_socket(place)
                    new.append(place)
                else:
                    found[place] = socket.socket(fileno=descriptor)
            except OSError as error:
                if not listeners.optional(place, error):
                    self.problems[owner] = listeners.explain(place, error)
        for start in range(0, len(new), FDS_PER_MESSAGE):
            some = new[start : start + FDS_PER_MESSAGE]
            self._channel.send(
                "keep", [found[place].fileno() for place in some], names=[str(place) for place in some]
            )
        return found
