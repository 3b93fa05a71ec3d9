"""A session's days: what is refused, what is done once, and what a failure leaves."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from clauderon import airlock
from clauderon.errors import BackendError, CommandFailed, Conflict
from clauderon.paths import Home
from clauderon.proxy import service
from clauderon.record import Session
from clauderon.session import lifecycle, promotion, proxy_notify, unsafe
from clauderon.session.context import Context
from tests.session.stand_ins import Engine, Said, detail
from tests.standins.sessions import a_session

OWN = "clauderon-fix"


@pytest.fixture
def session(context: Context, home: Home, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session whose proxy, caches and commits are left alone."""
    for module, name in (
        (proxy_notify, "bring_up"),
        (proxy_notify, "up"),
        (service, "reload"),
        (promotion, "promote"),
    ):
        monkeypatch.setattr(module, name, lambda *_words, **_options: None)
    monkeypatch.setattr(unsafe, "check_again", lambda *_words: None)
    monkeypatch.setattr(airlock, "sync", lambda *_words, **_options: SimpleNamespace(notes=("noted",)))
    return a_session(home, "fix", "0123456789ab")


def test_one_that_runs_is_not_started_again(context: Context, engine: Engine, session: Session) -> None:
    engine.containers[OWN] = detail()
    assert lifecycle.start(context, "fix") == session
    assert engine.called == []


def test_a_stopped_one_is_started_and_its_time_begins_anew(
    context: Context, engine: Engine, session: Session
) -> None:
    context.store.update(session.id, timed_out=True)
    engine.containers[OWN] = detail(running=False)
    assert not lifecycle.start(context, "fix").timed_out
    assert engine.called == [("container_start", (OWN,))]


@pytest.mark.parametrize(
    ("stderr", "anew"),
    [
        (b"Error response from daemon: Address already in use", True),
        (b"network x not found", True),
        (b"no space left on device", False),
    ],
)
def test_a_container_whose_address_is_gone_is_made_anew(
    context: Context, engine: Engine, session: Session, stderr: bytes, anew: bool, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    def fail(_name: str) -> None:
        raise CommandFailed(["docker"], 1, b"", stderr)

    made: list[str] = []

    def recreate(_context: Context, one: Session, mode: str) -> Session:
        made.append(mode)
        return one

    monkeypatch.setattr(lifecycle, "recreate", recreate)
    engine.containers[OWN] = detail(running=False)
    engine.verbs["container_start"] = fail
    if not anew:
        with pytest.raises(BackendError):
            lifecycle.start(context, "fix")
        assert engine.called == []
        return
    lifecycle.start(context, "fix")
    assert (made, engine.called) == (["agent"], [("container_remove", (OWN,))])


def test_an_archived_one_is_not_started(context: Context, session: Session) -> None:
    lifecycle.archive(context, "fix")
    with pytest.raises(Conflict) as caught:
        lifecycle.start(context, "fix")
    assert caught.value.hint == "clauderon unarchive fix"
    assert not lifecycle.unarchive(context, "fix").archived


def test_to_stop_brings_the_commits_over(
    context: Context, engine: Engine, session: Session, said: Said
) -> None:
    lifecycle.stop(context, "fix", grace_s=3)
    assert engine.called == [("container_stop", (OWN, 3))]
    assert said.warnings == ["noted"]


def test_a_failed_sync_does_not_fail_the_command(
    context: Context, session: Session, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_words: Any, **_options: Any) -> None:
        raise BackendError("sync fix", "the repository is gone")

    monkeypatch.setattr(airlock, "sync", fail)
    lifecycle.stop(context, "fix")
    assert said.warnings == ["sync fix: the repository is gone"]


def test_a_stopped_one_runs_nothing_unless_it_may_be_started(context: Context, session: Session) -> None:
    with pytest.raises(Conflict) as caught:
        lifecycle.running(context, "fix")
    assert caught.value.hint == "clauderon start fix"


def test_the_access_mode_is_kept(context: Context, session: Session) -> None:
    assert lifecycle.set_access_mode(context, "fix", "read-only").access_mode == "read-only"
    assert context.store.named("fix").access_mode == "read-only"
