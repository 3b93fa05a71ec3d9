"""Fixtures of the tests of child processes."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from clauderon.proc import waiting


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was said, with a patience that fits a test."""
    said: list[str] = []
    monkeypatch.setattr(waiting, "PATIENCE_S", 0.2)
    monkeypatch.setattr(waiting, "say", said.append)
    return said


@pytest.fixture
def alarm() -> Iterator[Callable[[float], None]]:
    """Sends this process a SIGINT after some time, as a person's Ctrl-C."""
    timers: list[threading.Timer] = []

    def after(delay_s: float) -> None:
        timers.append(threading.Timer(delay_s, os.kill, (os.getpid(), signal.SIGINT)))
        timers[-1].start()

    yield after
    for timer in timers:
        timer.cancel()
        timer.join()
