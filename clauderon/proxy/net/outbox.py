"""What a wire shares with the others and what it tells its owner; no bytes and no TLS here."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Protocol

# How long the loop stays awake for the answer to what was sent. An answer that comes that soon finds the loop awake. On
# a virtual machine waking it takes a third of one tunnel's latency.
AWAKE_S = 0.0001
# Where no answer comes that soon (a model thinks, a stream trickles) the loop sleeps at once. It tries again after up
# to this many sends.
MOST_SKIPPED = 127


class Flushed(Protocol):
    """A connection that has something to send."""

    def flush(self) -> None:
        """Send it."""


class Outbox:
    """Wires that have something to send when the loop is done with what came in.

    What goes out together wakes its readers together. A write of its own for each message costs a wake-up each, which
    on a virtual machine is dearer than the message; and what is sent in pieces leaves in one.
    """

    __slots__ = ("_awake", "_loop", "_pause", "_skip", "_until", "_used", "_wires", "contended")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.contended = False  # see `turns`: the wires have this at hand
        self._wires: list[Flushed] = []
        self._awake = False
        self._until = 0.0
        self._used = False  # something came since it stays awake
        self._pause = 0  # sends not to stay awake after, since the last time was in vain
        self._skip = 0

    def add(self, wire: Flushed) -> None:
        """Flush `wire` at the end of this turn of the loop."""
        if not self._wires:
            self._loop.call_soon(self._flush)
        self._wires.append(wire)

    def _flush(self) -> None:
        wires, self._wires = self._wires, []
        for wire in wires:
            wire.flush()
        if self._awake:
            self._used = True
            self._until = perf_counter() + AWAKE_S
        elif self._skip:
            self._skip -= 1
        else:
            self._awake = True
            self._used = False
            self._until = perf_counter() + AWAKE_S
            self._loop.call_soon(self._stay_awake)

    def _stay_awake(self) -> None:
        """Look for what came in again and again: a loop that has something to call does not sleep."""
        if perf_counter() < self._until:
            self._loop.call_soon(self._stay_awake)
            return
        self._awake = False
        self._pause = 0 if self._used else min(2 * self._pause + 1, MOST_SKIPPED)
        self._skip = self._pause


class Events(asyncio.BufferedProtocol):
    """What happens to a wire. After its `close`, `finish` or `abort` only `gone` comes."""

    __slots__ = ()

    def connected(self) -> None:
        """The transport is there."""

    def received(self, data: memoryview) -> None:
        """Bytes of the peer's, valid until this returns."""
        raise NotImplementedError

    def secured(self) -> None:
        """The handshake succeeded."""

    def insecure(self, error: Exception) -> None:
        """The handshake failed; the alert is on its way."""
        raise NotImplementedError

    def ended(self, clean: bool) -> None:
        """The peer sends no more; in TLS `clean` says whether it said so."""
        raise NotImplementedError

    def blocked(self) -> None:
        """The peer reads too slowly: stop sending soon."""

    def flushed(self) -> None:
        """There is room again after `blocked`."""

    def lost(self, error: Exception | None) -> None:
        """The connection broke."""

    def gone(self) -> None:
        """The transport is closed; the last event."""
