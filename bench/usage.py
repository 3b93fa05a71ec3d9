"""`scripts/bench usage`: what it costs the proxy to read what models used, beside a proxy that does not.

In processor time of the proxy's processes, which a busy machine changes less than it changes a rate: on a processor
of its own, throughput is its reciprocal.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from pathlib import Path

from bench import models
from bench.figures import Row, Target
from bench.machine import ROOT, Unavailable, descendants, free_ports, say
from bench.peers import Clauderon, Stage
from bench.proxy import HOST, stage

OURS, WITHOUT = "clauderon", "unread"
TUNNELS = 16
MOST, LEAST = 1.03, 0.97
# Runs before anything, in the supervisor and in the worker. Both proxies sleep at once when there is nothing to do:
# waiting awake costs time by when something comes, and not by what is done.
_ASLEEP = """
from clauderon.proxy.net import outbox
outbox.AWAKE_S = 0.0
"""
_UNREAD = """
from clauderon.proxy.dataplane import budgets
budgets.is_metered = lambda session, host: False
"""
_KEYS = {"anthropic_api_key": "sk-ant-api03-bench-no-real-key", "openai_api_key": "sk-bench-no-real-key"}


class _Reading(Clauderon):
    """Our proxy with credentials for the model APIs, whose hosts are all one origin."""

    lends = False

    def __init__(self, name: str, origin_port: int) -> None:
        super().__init__(name)
        self._origin = origin_port

    def start(self, stage: Stage, port: int) -> None:
        """As `Clauderon`; then with the credentials."""
        hook = stage.directory / f"{self.name}-hook"
        hook.mkdir(exist_ok=True)
        (hook / "sitecustomize.py").write_text(_ASLEEP + (_UNREAD if self.name == WITHOUT else ""))
        self.env["PYTHONPATH"] = f"{hook}:{ROOT}"
        super().start(stage, port)

    def more_config(self) -> str:
        """Where the hosts are."""
        return "".join(
            f'"{host}:443" = "127.0.0.1:{self._origin}"\n' for host in (HOST, models.ANTHROPIC, models.OPENAI)
        )

    def secrets(self) -> dict[str, str]:
        """The keys of the model APIs, none of them real."""
        return _KEYS


def spent_us(pid: int) -> float:
    """Processor time of a process tree so far."""
    total = 0
    for each in descendants(pid):
        for task in Path(f"/proc/{each}/task").iterdir():
            with contextlib.suppress(OSError):
                total += int((task / "schedstat").read_text().split()[0])
    return total / 1e3


async def _run(kind: models.Kind, peer: Clauderon, ca: Path) -> None:
    await asyncio.gather(*(models.ask(kind, peer.port, ca) for _ in range(TUNNELS)))


async def _cost(kind: models.Kind, peer: Clauderon, ca: Path) -> tuple[float, float]:
    """Processor time of the proxy for an answer of this kind in microseconds, and answers a second by the clock."""
    assert peer.pid is not None
    before, began = spent_us(peer.pid), time.monotonic()
    await _run(kind, peer, ca)
    answers = TUNNELS * kind.answers
    return (spent_us(peer.pid) - before) / answers, answers / (time.monotonic() - began)


async def _measure(here: Stage, rounds: int, rows: dict[str, Row], rates: dict[str, Row], port: int) -> None:
    from clauderon.proxy.dataplane import budgets  # the names that the hooks replace
    from clauderon.proxy.net import outbox

    if not hasattr(budgets, "is_metered") or not hasattr(outbox, "AWAKE_S"):
        raise Unavailable("usage: what the hooks replace is not there")
    known = models.kinds(HOST)
    origin = models.Origin(here.directory / "upstream.pem", here.directory / "upstream.key")
    await origin.listen(port)
    peers = [_Reading(OURS, port), _Reading(WITHOUT, port)]
    ports = free_ports(4)
    try:
        for number, peer in enumerate(peers):
            peer.set_up()
            await asyncio.to_thread(peer.start, here, ports[2 * number])
        for number in range(-1, rounds):
            say(f"round {number + 1} of {rounds}")
            for key, row in rows.items():
                origin.kind = known[key]
                for peer in peers if number % 2 else peers[::-1]:
                    cost, rate = await _cost(known[key], peer, peer.ca(here))
                    if number >= 0:  # the first warms up
                        row.add(peer.name, cost)
                        rates[key].add(peer.name, rate)
    finally:
        for peer in peers:
            peer.stop()


def bench(rounds: int, only: Sequence[str] | None) -> tuple[list[Row], list[str]]:
    """Measure; returns the rows of the table and the names of its columns."""
    rows = {
        key: Row(kind.title, "us", Target(WITHOUT, MOST))
        for key, kind in models.kinds(HOST).items()
        if only is None or key in only
    }
    rates = {
        key: Row(
            f"{models.kinds(HOST)[key].title}, 16 tunnels", "answers/s", Target(WITHOUT, LEAST, at_least=True)
        )
        for key in rows
    }
    with stage(1, (models.ANTHROPIC, models.OPENAI)) as here:
        asyncio.run(_measure(here, rounds, rows, rates, free_ports(5)[4]))
    # By the clock, where the origin makes no pauses: with them it says how fast the origin is.
    unpaused = [rates[key] for key in rows if not models.kinds(HOST)[key].pause_s]
    return [*rows.values(), *unpaused], [WITHOUT, OURS]
