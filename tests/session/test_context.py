"""What every use case is handed: locks that end with their holder, and the containers of a home under both its names."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from types import SimpleNamespace

import pytest

from clauderon.errors import Conflict
from clauderon.paths import Home
from clauderon.session import context as module
from clauderon.session.context import Context, is_alive, is_locked, lock
from clauderon.spec import LABEL_HOME
from tests.session.stand_ins import Engine
from tests.standins.sessions import a_session

ID = "0123456789ab"


def test_one_command_at_a_time_works_on_a_session(context: Context, home: Home) -> None:
    session = a_session(home, "fix", ID)
    assert not is_locked(context, session)
    with lock(context, session):
        assert is_locked(context, session)
        with pytest.raises(Conflict) as caught, lock(context, session, wait_s=0):
            pass
        assert (caught.value.why, caught.value.hint) == (
            "another command is working on it",
            "clauderon status fix",
        )
    assert not is_locked(context, session)


def test_a_script_holds_a_session_as_long_as_its_shell_lives(context: Context, home: Home) -> None:
    session = a_session(home, "fix", ID)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert is_locked(context, session.changed(step=f"{module.SCRIPT_STEP}{os.getpid()}"))
    assert not is_locked(context, session.changed(step=f"{module.SCRIPT_STEP}{ended.pid}"))
    assert is_alive(1) and not is_alive(ended.pid)


Lock = Callable[[Context], object]


@pytest.mark.parametrize(
    "take", [module.caches_lock, module.rescues_lock, lambda c: module.network_lock(c, "n")]
)
def test_other_locks_are_one_holders_too(
    context: Context, take: Lock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOCK_WAIT_S", 0)
    monkeypatch.setattr(module, "CACHES_WAIT_S", 0)
    with take(context), pytest.raises(Conflict), take(context):  # type: ignore[attr-defined]
        pass


def test_containers_are_asked_for_under_both_spellings_of_the_home(
    context: Context, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Mapping[str, str]] = []

    def start(labels: Mapping[str, str]) -> object:
        asked.append(labels)
        return SimpleNamespace(result=lambda: SimpleNamespace(text=""))

    engine.verbs["container_list_start"] = start
    assert context.containers({"x": "y"}) == []
    assert asked[0] == {LABEL_HOME: str(context.home.root), "x": "y"}
    assert len(asked) == 1 + bool(context.home.spelled)
