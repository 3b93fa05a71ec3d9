"""The CA is renewed while the service runs, and a failure ends nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from clauderon.errors import BackendError
from clauderon.paths import Home
from clauderon.proxy.ca import authority
from clauderon.proxy.daemon import renewal


class Holder:
    def __init__(self) -> None:
        self.refreshed = 0

    def refresh(self, _home: Home) -> None:
        self.refreshed += 1


async def test_it_is_looked_at_again_and_again_whatever_fails(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[Home] = []

    def ensure(of: Home) -> None:
        looks.append(of)
        if len(looks) == 1:
            raise BackendError("make the CA", "the disk is full")

    monkeypatch.setattr(authority, "ensure", ensure)
    monkeypatch.setattr(renewal, "CHECK_S", 0.001)
    holder: Any = Holder()
    running = asyncio.create_task(renewal.run(home, holder))
    while len(looks) < 3:
        await asyncio.sleep(0.001)
    running.cancel()
    assert set(looks) == {home}
    assert holder.refreshed >= 1, "a failure did not end it"
