"""docker's verbs: what is asked in one call, and which "no" is an answer and which a failure."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from clauderon.docker.client import Docker
from clauderon.errors import BackendError, CommandFailed
from tests.proc.slow import ENV

Answering = Callable[..., Docker]
MISSING = "Error: No such container: x"
DOWN = "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?"


@pytest.fixture
def answering(tmp_path: Path) -> Answering:
    """A docker that says the same to every call, and writes down how it was called."""

    def make(stdout: str = "", stderr: str = "", status: int = 0) -> Docker:
        for name, text in (("out", stdout), ("err", stderr)):
            (tmp_path / name).write_text(text)
        program = tmp_path / "docker"
        program.write_text(
            f"#!/bin/sh\nprintf '%s|' \"$@\" >>{tmp_path}/calls; echo >>{tmp_path}/calls\n"
            f"cat {tmp_path}/out; cat {tmp_path}/err >&2; exit {status}\n"
        )
        program.chmod(0o755)
        return Docker(str(program), "", ENV)

    return make


@pytest.fixture
def calls(tmp_path: Path) -> Callable[[], list[list[str]]]:
    return lambda: [line.split("|")[:-1] for line in (tmp_path / "calls").read_text().splitlines()]


def test_a_container_that_is_not_there_is_none_and_a_failure_is_one(answering: Answering) -> None:
    assert answering(stderr=MISSING, status=1).container_inspect("x") is None
    assert answering(stderr=MISSING, status=1).container_remove("x") is False
    assert answering(stderr=MISSING, status=1).container_stop("x", 1) is False
    asks: list[Callable[[Docker], object]] = [
        lambda docker: docker.container_inspect("x"),
        lambda docker: docker.container_remove("x"),
        lambda docker: docker.container_list({}),
        lambda docker: docker.image_inspect("x"),
        lambda docker: docker.inspect("x"),
    ]
    for ask in asks:
        with pytest.raises(BackendError) as caught:
            ask(answering(stderr=DOWN, status=1))
        assert caught.value.why == "the Docker engine cannot be reached"


def test_a_container_is_asked_for_what_is_read_of_it(
    answering: Answering, calls: Callable[[], list[list[str]]]
) -> None:
    fields = {
        "Id": "c" * 64, "Name": "/x", "Image": "sha256:1", "Labels": None, "Running": False, "ExitCode": 7,
        "OOMKilled": True, "Error": "", "StartedAt": "0001-01-01T00:00:00Z",
        "Networks": {"n": {"IPAddress": "", "IPAMConfig": {"IPv4Address": "172.30.0.7"}}},
    }  # fmt: skip
    detail = answering(json.dumps(fields)).container_inspect("x")
    assert detail is not None
    assert (detail.name, detail.exit_status, detail.oom_killed, detail.ip) == ("x", 7, True, "172.30.0.7")
    assert not detail.began and detail.labels == {}
    ((*_, format_, name),) = calls()
    assert name == "x" and all(f'"{field}":' in format_ for field in fields)


def test_a_container_that_hides_what_was_meant_costs_a_question_a_kind(
    answering: Answering, calls: Callable[[], list[list[str]]]
) -> None:
    answering('{"Id": "c", "State": {}}\n').inspect("x")
    assert sorted(call[0] for call in calls()) == ["image", "inspect", "network", "volume"]


def test_nothing_is_asked_of_no_containers(answering: Answering, tmp_path: Path) -> None:
    assert answering().container_stats([]) == {}
    assert not (tmp_path / "calls").exists()


def test_a_start_that_fails_says_what_docker_said(answering: Answering) -> None:
    with pytest.raises(CommandFailed) as caught:
        answering(stderr="Address already in use", status=1).container_start("x")
    assert caught.value.detail == "Address already in use"


@pytest.mark.parametrize(("said", "status"), [("0\n", 0), ("137\n", 137)])
def test_a_wait_gives_the_containers_status(answering: Answering, said: str, status: int) -> None:
    assert answering(said).container_wait("x") == status
