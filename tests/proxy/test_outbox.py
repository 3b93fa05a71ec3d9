"""When what was sent leaves, and how long the loop stays awake for the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from clauderon.proxy import outbox
from clauderon.proxy.outbox import Outbox


class Loop:
    """An event loop that runs a turn when it is told to."""

    def __init__(self) -> None:
        self.ready: list[Callable[[], object]] = []

    def call_soon(self, call: Callable[[], object]) -> None:
        self.ready.append(call)

    def turn(self) -> bool:
        """Whether there was anything to call."""
        ready, self.ready = self.ready, []
        for call in ready:
            call()
        return bool(ready)


class Wire:
    def __init__(self) -> None:
        self.flushed = 0

    def flush(self) -> None:
        self.flushed += 1


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(outbox, "perf_counter", lambda: now[0])
    return now


def made(loop: Loop) -> Outbox:
    return Outbox(cast("asyncio.AbstractEventLoop", cast("Any", loop)))


def test_what_was_sent_in_one_turn_leaves_together_at_its_end(clock: list[float]) -> None:
    loop, one, two = Loop(), Wire(), Wire()
    box = made(loop)
    box.add(one)
    box.add(two)
    assert (one.flushed, two.flushed, len(loop.ready)) == (0, 0, 1)
    loop.turn()
    assert (one.flushed, two.flushed) == (1, 1)


def test_the_loop_stays_awake_for_a_moment_and_then_sleeps(clock: list[float]) -> None:
    loop = Loop()
    box = made(loop)
    box.add(Wire())
    for _ in range(5):
        assert loop.turn()
    clock[0] = outbox.AWAKE_S
    loop.turn()
    assert not loop.turn()


def test_sending_again_prolongs_it_without_a_second_watch(clock: list[float]) -> None:
    loop = Loop()
    box = made(loop)
    for turn in range(50):
        clock[0] = turn * outbox.AWAKE_S / 2
        box.add(Wire())
        loop.turn()
        assert len(loop.ready) == 1
    clock[0] += outbox.AWAKE_S
    loop.turn()
    assert loop.ready == []
