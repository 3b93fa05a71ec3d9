"""Waiting for several sessions: all of them, the first, or no longer than a time."""

from __future__ import annotations

import time
from typing import Any

import pytest

from clauderon.errors import NoSuchSession
from clauderon.paths import Home
from clauderon.record import Session
from clauderon.session import lifecycle, waiting
from clauderon.session.context import Context
from tests.session.stand_ins import Engine, detail
from tests.standins.sessions import a_session


class Wait:
    """A `docker wait` that ends after so many looks."""

    def __init__(self, looks: int) -> None:
        self.looks, self.stopped = looks, False

    def ended(self) -> bool:
        self.looks -= 1
        return self.looks < 0

    def stop(self) -> None:
        self.stopped = True


@pytest.fixture
def waits(home: Home, monkeypatch: pytest.MonkeyPatch) -> dict[str, Wait]:
    found = {"one": Wait(1), "two": Wait(4), "never": Wait(1 << 30)}
    for number, name in enumerate(found):
        a_session(home, name, f"{number:012x}")
    status = {"one": 3, "two": 0, "never": 9}
    monkeypatch.setattr(waiting, "POLL_S", 0.001)
    monkeypatch.setattr(lifecycle, "wait_start", lambda _context, session: found[session.name])

    def finish(_context: Context, session: Session, _wait: Any) -> int:
        return status[session.name]

    monkeypatch.setattr(lifecycle, "wait_finish", finish)
    return found


def test_all_are_waited_for(context: Context, waits: dict[str, Wait]) -> None:
    assert waiting.wait_for(context, ["two", "one"], first=False, timeout_s=None) == {"one": 3, "two": 0}


def test_or_the_first_that_ends_and_the_others_are_let_go(context: Context, waits: dict[str, Wait]) -> None:
    assert waiting.wait_for(context, ["two", "one"], first=True, timeout_s=None) == {"one": 3}
    assert waits["two"].stopped and not waits["one"].stopped


def test_no_longer_than_a_time(context: Context, waits: dict[str, Wait], engine: Engine) -> None:
    engine.containers["clauderon-never"] = detail("clauderon-never")
    begun = time.monotonic()
    assert waiting.wait_for(context, ["never"], first=False, timeout_s=0.05) == {}
    assert time.monotonic() - begun < 30 and waits["never"].stopped


def test_with_no_time_at_all_the_engine_is_asked_who_has_ended(
    context: Context, waits: dict[str, Wait], engine: Engine
) -> None:
    engine.containers["clauderon-never"] = detail("clauderon-never", running=False)
    engine.containers["clauderon-two"] = detail("clauderon-two")
    assert waiting.wait_for(context, ["never", "two"], first=False, timeout_s=0) == {"never": 9}


def test_a_name_that_is_not_there_is_said_before_anybody_is_waited_for(
    context: Context, waits: dict[str, Wait], monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(_context: Context, name: str) -> Session:
        raise NoSuchSession(f"session {name}", "no session has this name")

    begun: list[object] = []
    monkeypatch.setattr(waiting, "find", find)
    monkeypatch.setattr(lifecycle, "wait_start", lambda *words: begun.append(words))
    with pytest.raises(NoSuchSession):
        waiting.wait_for(context, ["nobody"], first=False, timeout_s=None)
    assert begun == []
