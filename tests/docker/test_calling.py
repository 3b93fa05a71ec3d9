"""An engine that does not answer: when it is given up, and how fast an interrupt is obeyed."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from clauderon.docker.client import Docker
from clauderon.errors import BackendError, CommandTimeout
from tests.proc.slow import ENV


def test_an_interrupt_ends_a_call_that_hears_no_signal_within_a_second(
    docker: Docker, alarm: Callable[[float], None]
) -> None:
    """The usual ladder and a settling of 10 s would add up to 19 s.

    Seen to fail with a grace of 3 s after an interrupt.
    """
    calls: list[Callable[[], object]] = [
        lambda: docker.container_stop("x", 1),
        lambda: docker.start("ps", what="list").result(),
    ]
    for call in calls:
        docker.hung = ""
        alarm(0.5)
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            call()
        assert time.monotonic() - began - 0.5 < 1.0


def test_after_a_call_was_interrupted_unanswered_no_other_waits(
    docker: Docker, alarm: Callable[[float], None]
) -> None:
    """What undoes an interrupted command would hang as the command did.

    Seen not to end without `_refuse_after_hang`.
    """
    alarm(0.3)
    with pytest.raises(KeyboardInterrupt):
        docker.container_stop("x", 1)
    for call in (lambda: docker.container_remove("x"), lambda: docker.start("ps", what="list")):
        began = time.monotonic()
        with pytest.raises(BackendError, match="stop: it has not answered"):
            call()
        assert time.monotonic() - began < 0.1


def test_an_interrupt_that_finds_an_answer_in_time_marks_nothing(
    tmp_path: Path, alarm: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to fail without a time to settle. (Python itself gives a child 0.25 s after an interrupt.)"""
    monkeypatch.setattr("clauderon.docker.calling.SETTLE_S", 5.0)
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\nsleep 1.2\n")
    program.chmod(0o755)
    docker = Docker(str(program), "", ENV)
    alarm(0.3)
    with pytest.raises(KeyboardInterrupt):
        docker.container_stop("x", 1)
    assert docker.hung == ""


def test_waiting_for_the_end_of_a_container_is_neither_said_nor_taken_for_a_hang(
    docker: Docker, words: list[str], alarm: Callable[[float], None]
) -> None:
    """Seen to fail with `container_wait` aloud."""
    alarm(0.5)
    with pytest.raises(KeyboardInterrupt):
        docker.container_wait("x")
    assert (words, docker.hung) == ([], "")


def test_what_makes_or_removes_something_has_a_deadline(
    docker: Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to fail with another deadline than `ACT_TIMEOUT_S`."""
    monkeypatch.setattr("clauderon.docker.client.ACT_TIMEOUT_S", 0.3)
    monkeypatch.setattr("clauderon.proc.child.STOP_GRACE_S", 0.1)
    with pytest.raises(CommandTimeout) as late:
        docker.container_remove("x")
    assert (late.value.what, late.value.why) == ("docker container rm", "no answer after 0.3 s")
    assert late.value.hint is not None
    assert late.value.hint.startswith("docker info")
