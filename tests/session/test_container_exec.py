"""A command in a container is ended with whoever asked for it."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from clauderon.errors import BackendError, CommandFailed
from clauderon.session import container_exec
from clauderon.session.context import Context
from tests.session.stand_ins import Engine, Said


@pytest.mark.parametrize(
    ("signum", "name"),
    [
        (signal.SIGINT, "INT"),
        (signal.SIGHUP, "HUP"),
        (signal.SIGQUIT, "QUIT"),
        (signal.SIGTERM, "TERM"),
        (signal.SIGPIPE, "TERM"),
    ],
)
def test_which_signal_the_command_gets(signum: int, name: str) -> None:
    assert container_exec._name(signum) == name


def answers(engine: Engine, statuses: list[int]) -> list[str]:
    """docker answers each signal with the next status, the last for ever; returns the names of those sent."""
    sent: list[str] = []

    def attempt(*words: str) -> None:
        sent.append(words[-1])
        status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
        if status:
            raise CommandFailed(["docker"], status, b"", b"x")

    engine.verbs["attempt"] = attempt
    return sent


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("_LOOK_S", 0.001), ("GRACE_S", 0.05), ("BEGIN_S", 0.01)):
        monkeypatch.setattr(container_exec, name, seconds)


@pytest.mark.parametrize(
    ("statuses", "sent"),
    [
        ([0, 0, 4], ["INT", "0", "0"]),  # it ends after a look or two
        ([4], ["INT"]),  # nobody is there any more
        ([3, 0, 4], ["INT", "INT", "0"]),  # it had left no number yet
    ],
)
def test_it_is_sent_the_signal_and_waited_for(
    context: Context, engine: Engine, said: Said, statuses: list[int], sent: list[str]
) -> None:
    found = answers(engine, statuses)
    container_exec._Ending(context, "clauderon-fix", "/mark")(signal.SIGINT, lambda: True)
    assert (found, said.warnings) == (sent, [])


def test_one_that_does_not_go_is_killed(context: Context, engine: Engine, said: Said) -> None:
    found = answers(engine, [0])
    container_exec._Ending(context, "clauderon-fix", "/mark")(signal.SIGTERM, lambda: True)
    assert found[0] == "TERM" and found[-1] == "KILL" and set(found[1:-1]) <= {"0"}


@pytest.mark.parametrize("waits", [True, False])
def test_one_without_a_number_is_told_of_while_its_docker_waits(
    context: Context, engine: Engine, said: Said, waits: bool
) -> None:
    answers(engine, [3])
    container_exec._Ending(context, "clauderon-fix", "/mark")(signal.SIGTERM, lambda: waits)
    assert ["docker top clauderon-fix" in warning for warning in said.warnings] == [True] * waits


def test_an_engine_that_cannot_be_asked_is_said(context: Context, engine: Engine, said: Said) -> None:
    def attempt(*_words: str) -> None:
        raise BackendError("exec", "the Docker engine cannot be reached")

    engine.verbs["attempt"] = attempt
    container_exec._Ending(context, "clauderon-fix", "/mark")(signal.SIGTERM, lambda: True)
    (warning,) = said.warnings
    assert "may still be running" in warning and "cannot be reached" in warning


def test_what_killed_commands_left_is_swept(tmp_path: Path) -> None:
    for name in (".clauderon-exec-1", ".clauderon-exec-2", ".clauderon-other", "work"):
        place = tmp_path / "home"
        place.mkdir(exist_ok=True)
        (place / name).touch()
    container_exec.sweep(place)
    assert sorted(path.name for path in place.iterdir()) == [".clauderon-other", "work"]
