"""Whose turn it is: a session that keeps the loop busy waits, so that the others do not.

The loop serves what came in, connection by connection, and a session may have any number of those with any number of
requests waiting in each. So while more than one session has connections, what is done for each is measured. One that
has used a slice at once, or more than its share for some time, is parked: its connections are not read, and the
requests that were read already wait, until its next turn. While nobody else does anything that comes as soon as the
loop has looked for what came in; else once the share has grown again, and the loop sleeps meanwhile: a process that
never sleeps is made to wait by the kernel, and everybody in it. Where one session alone has connections, nothing is
measured and nobody waits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter, thread_time
from typing import Protocol

from clauderon.proxy.net.outbox import Outbox

# Two or three refused requests, or one that is passed on: so long anybody else waits at an event that can be cut.
SLICE_S = 0.0002
# Of the loop's time: for each session that is made to wait, and for all of them together.
SHARE = 0.2
SHARE_OF_ALL = 0.4
# What a session may use at once after it was quiet: some handshakes, a page's worth of requests. One that used more
# than it had, as a handshake cannot be cut, makes good no more than the debt.
BURST_S = 0.005
DEBT_S = -0.01
# The others count as doing something for so long after an event of theirs.
RECENT_S = 0.1
TICK_S = 0.001
# Connections that are only read again do their work later.
MOST_RESUMED = 2


class Parked(Protocol):
    """A wire, as this module knows it."""

    def resume(self) -> None:
        """It is this connection's turn: read on."""


class Turns:
    """The turns of one loop. `outbox.contended`: more than one session has connections."""

    def __init__(self, loop: asyncio.AbstractEventLoop, outbox: Outbox) -> None:
        self.waiting: dict[Turn, None] = {}  # in the order they came
        self._loop = loop
        self._outbox = outbox
        self._present: set[Turn] = set()
        self._due = False

    def came(self, turn: Turn) -> None:
        """A session has its first connection."""
        self._present.add(turn)
        self._outbox.contended = len(self._present) > 1

    def left(self, turn: Turn) -> None:
        """A session has none any more."""
        self._present.discard(turn)
        self._outbox.contended = len(self._present) > 1

    def call(self) -> None:
        """Have those who wait go on once what came in was served."""
        if not self._due:
            self._due = True
            self._loop.call_soon(self._next)

    def are_others_at_it(self, turn: Turn, now: float) -> bool:
        """Whether another session did something in the last RECENT_S seconds."""
        return any(other.last > now - RECENT_S for other in self._present if other is not turn)

    def _next(self) -> None:
        soon = False
        for turn in list(self.waiting):
            soon = turn.go_on() or soon
        self._due = bool(self.waiting)
        if soon and self._due:
            self._loop.call_soon(self._next)
        elif self._due:
            self._loop.call_later(TICK_S, self._next)


class Turn:
    """One session's turns. last: when something was last done for it. entered: something is being done for it."""

    __slots__ = ("_allowed", "_parked", "_since", "_turns", "_worth", "entered", "last")

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._parked: deque[Parked] = deque()
        self._worth = BURST_S  # what it may still use, in seconds; below nothing, what it must make good
        self._allowed = 0.0  # in this turn
        self._since = 0.0  # the thread's time at the beginning of this turn
        self.entered = False
        self.last = 0.0

    def enter(self) -> None:
        """Something is about to be done for the session; `leave` must follow."""
        self._begin(perf_counter())
        # Who came before goes first.
        self._allowed = 0.0 if self._parked else min(SLICE_S, self._worth)

    def leave(self) -> None:
        """End the turn, and charge the session the processor time it took."""
        self.entered = False
        used = thread_time() - self._since
        self._worth = max(DEBT_S, self._worth - used)

    def over(self) -> bool:
        """Whether the session has used what this turn allows it. Between `enter` and `leave`."""
        return thread_time() - self._since > self._allowed

    def park(self, wire: Parked) -> None:
        """Resume the wire in a later turn."""
        self._parked.append(wire)
        self._turns.waiting[self] = None
        self._turns.call()

    def go_on(self) -> bool:
        """Resume what waits, as far as the turn goes. Whether the next may follow at once."""
        now = perf_counter()
        self._begin(now)
        parked = self._parked
        others = self._turns.are_others_at_it(self, now)
        self._allowed = SLICE_S
        may = not others or self._worth >= SLICE_S  # less is not worth a beginning
        for _ in range(min(MOST_RESUMED, len(parked)) if may else 0):
            parked.popleft().resume()
            if self.over():
                break
        self.leave()
        if not parked:
            self._turns.waiting.pop(self, None)
        return not others or self._worth >= SLICE_S

    def _begin(self, now: float) -> None:
        grown = (now - self.last) * min(SHARE, SHARE_OF_ALL / max(1, len(self._turns.waiting)))
        self._worth = min(BURST_S, self._worth + grown)
        self.last = now
        self.entered = True
        # Not the clock's time: that a kernel runs others meanwhile is nobody's fault here.
        self._since = thread_time()
