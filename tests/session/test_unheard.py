"""An agent that waits for a listener that is gone, told from one that is listened to."""

from __future__ import annotations

import time

import pytest

from clauderon import filelock
from clauderon.agents import heard, setup
from clauderon.paths import Home
from clauderon.record import Session
from clauderon.session import unheard
from clauderon.session.context import Context
from tests.session.stand_ins import Engine, detail
from tests.standins.sessions import a_session


@pytest.fixture
def waiting(home: Home, context: Context, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session of `create --print` whose agent has not begun, and whose listener was killed."""
    session = a_session(home, "fix", "0123456789ab")
    monkeypatch.setattr(heard, "mode", lambda _home, _session: "attached")
    monkeypatch.setattr(heard, "activity", lambda _home, _id: "")
    unheard.lock_path(home, session.id).parent.mkdir(parents=True, exist_ok=True)
    unheard.lock_path(home, session.id).touch()
    return context.store.update(session.id, print_mode=True)


def test_one_whose_listener_is_gone_is_unheard(home: Home, context: Context, waiting: Session) -> None:
    assert unheard.is_unheard(home, waiting)
    assert unheard.unheard(home, context.store) == [waiting]


@pytest.mark.parametrize("change", [{"print_mode": False}, {"state": "deleting"}])
def test_others_are_not(home: Home, waiting: Session, change: dict[str, object]) -> None:
    assert not unheard.is_unheard(home, waiting.changed(**change))


def test_one_that_has_begun_is_not(home: Home, waiting: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heard, "activity", lambda _home, _id: "working")
    assert not unheard.is_unheard(home, waiting)


def test_one_that_is_listened_to_is_not(home: Home, waiting: Session) -> None:
    with filelock.held(unheard.lock_path(home, waiting.id), RuntimeError("busy"), 0):
        assert not unheard.is_unheard(home, waiting)


def test_a_dry_runs_script_has_a_moment(home: Home, waiting: Session) -> None:
    """It holds no lock between its `docker run` and its last step."""
    unheard.lock_path(home, waiting.id).unlink()
    assert not unheard.is_unheard(home, waiting.changed(updated_at=time.time()))
    assert unheard.is_unheard(home, waiting.changed(updated_at=time.time() - 60))


@pytest.mark.parametrize("running", [True, False])
def test_it_is_begun_where_its_container_runs(
    context: Context, engine: Engine, waiting: Session, running: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[str] = []
    monkeypatch.setattr(setup, "set_mode", lambda _home, _session, mode: modes.append(mode))
    engine.containers["clauderon-fix"] = detail(running=running)
    assert unheard.begin(context, waiting) is running
    assert [verb for verb, _ in engine.called] == ["attempt"] * running
    assert modes == ["agent"]
