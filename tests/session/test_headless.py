"""`create --print`: how its agent is listened to, and what its result is."""

from __future__ import annotations

import threading

import pytest

from clauderon.known.answers import Answer
from clauderon.paths import Home
from clauderon.session import headless, lifecycle
from clauderon.session.context import Context
from tests.session.stand_ins import Engine, Said
from tests.standins.sessions import a_session

ID = "0123456789ab"


@pytest.mark.parametrize(
    ("began_before", "words"),
    [
        (False, ["attach", "--sig-proxy=false", "clauderon-fix"]),
        (True, ["logs", "--follow", "clauderon-fix"]),
    ],
)
def test_who_comes_later_reads_the_logs(home: Home, began_before: bool, words: list[str]) -> None:
    assert headless._words(a_session(home, "fix", ID), began_before) == words


def test_a_result_is_the_status_and_the_answer() -> None:
    row = headless.Result(3, Answer("done", 0.5, 2)).row()
    assert (row["exit_status"], row["result"], row["cost_usd"], row["turns"]) == (3, "done", 0.5, 2)


def test_a_time_that_is_up_is_written_down_before_the_stop(
    context: Context, home: Home, engine: Engine
) -> None:
    session = context.store.update(a_session(home, "fix", ID).id, timeout_s=0.01)
    stopped = threading.Event()
    engine.verbs["container_stop"] = lambda _name, _grace_s: stopped.set()
    with headless._Deadline(context, session):
        assert stopped.wait(30)
        assert headless._timed_out(context, session)


def test_without_a_time_nothing_is_stopped(context: Context, home: Home, engine: Engine) -> None:
    with headless._Deadline(context, a_session(home, "fix", ID)):
        pass
    assert engine.called == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), BrokenPipeError()])
def test_an_interrupt_stops_the_agent_and_brings_its_commits_over(
    context: Context, home: Home, engine: Engine, said: Said, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    synced: list[str] = []
    monkeypatch.setattr(lifecycle, "sync_quietly", lambda _context, one: synced.append(one.name))
    session = a_session(home, "fix", ID)
    with pytest.raises(type(error)), headless._stopped_on_interrupt(context, session):
        raise error
    assert engine.called == [("container_stop", ("clauderon-fix", headless.STOP_GRACE_S))]
    assert synced == ["fix"] and "clauderon start fix" in said.notes[0]
