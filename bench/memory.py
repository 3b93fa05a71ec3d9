"""`scripts/bench memory`: what the service holds while nothing passes through it."""

from __future__ import annotations

import time

from bench import proxy
from bench.figures import Row
from bench.machine import Unavailable, memory_once_kib
from bench.peers import Clauderon

OURS = "clauderon"
MANY = 200
ONE_MIB, MANY_MIB = 45.0, 90.0
# After this time everything is imported, and the first round of whatever is done in turn is over.
SETTLE_S = 3.0
FIRST_PORT = 20500


def bench(rounds: int) -> tuple[list[Row], list[str]]:
    """Measure supervisor and worker together; returns the rows of the table and the names of its columns."""
    one = Row("idle service, one session", "MiB", limit=ONE_MIB)
    many = Row(f"idle service, {MANY} sessions", "MiB", limit=MANY_MIB)
    used = Row("after 500 requests of one session", "MiB")
    for _ in range(rounds):
        idle, busy = held(1)
        one.add(OURS, idle)
        used.add(OURS, busy)
        many.add(OURS, held(MANY)[0])
    return [one, many, used], [OURS]


def held(sessions: int) -> tuple[float, float]:
    """The service's memory in MiB after a start, and after some requests. Raises Unavailable."""
    peer = Clauderon(sessions=sessions)
    peer.set_up()
    with proxy.stage(1) as here:
        peer.start(here, FIRST_PORT)
        try:
            time.sleep(SETTLE_S)
            if peer.pid is None:
                raise Unavailable("the service ended")
            idle = memory_once_kib(peer.pid) / 1024
            proxy.load(here, peer, proxy.HOST, ("latency", "500", proxy.SHORT))
            return idle, memory_once_kib(peer.pid) / 1024
        finally:
            peer.stop()
