"""When what was sent leaves, and how long the loop stays awake for the answer."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any, cast

import pytest

from clauderon.proxy.dataplane.client import Client
from clauderon.proxy.net import outbox
from clauderon.proxy.net.outbox import Outbox
from tests.proxy.fuzz_stage import Stage


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


def test_a_piece_of_a_stream_leaves_at_once_and_an_answer_with_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A busy loop gives each piece the time of all that came in beside it otherwise."""
    flushed: list[bytes] = []
    stage = Stage(random.Random(3))  # without the failures to connect
    monkeypatch.setattr(stage.rng, "random", lambda: 1.0)
    monkeypatch.setattr(Client, "flush", lambda client: flushed.append(bytes(stage.near.written)))
    stage.near.feed(b"GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n")
    (far,) = stage.upstreams
    far.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert flushed == []
    far.feed(b"5\r\nevent\r\n")
    assert [each[-5:] for each in flushed] == [b"ent\r\n"]
    far.feed(b"0\r\n\r\n")
    assert len(flushed) == 1


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


def awake_after(box: Outbox, loop: Loop, clock: list[float], *, answered: bool = False) -> bool:
    """Send once, let the moment pass and the loop fall asleep; whether it had stayed awake."""
    box.add(Wire())
    loop.turn()
    stayed = bool(loop.ready)
    if stayed and answered:
        box.add(Wire())
        loop.turn()
    clock[0] += outbox.AWAKE_S
    while loop.turn():
        pass
    return stayed


def test_where_no_answer_comes_that_soon_it_hardly_ever_stays_awake(clock: list[float]) -> None:
    loop = Loop()
    box = made(loop)
    stayed = [awake_after(box, loop, clock) for _ in range(1000)]
    assert stayed[:4] == [True, False, True, False]
    assert sum(stayed) < 16


def test_an_answer_in_time_has_it_stay_awake_every_time_again(clock: list[float]) -> None:
    loop = Loop()
    box = made(loop)
    for _ in range(5):
        awake_after(box, loop, clock)
    assert any(awake_after(box, loop, clock, answered=True) for _ in range(outbox.MOST_SKIPPED))
    assert all(awake_after(box, loop, clock, answered=True) for _ in range(20))
