"""The doctor's checks of the engine: each thing wrong is named with its remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from clauderon.config.schema import Config
from clauderon.docker.client import Docker
from clauderon.doctor import check as check_module
from clauderon.doctor import engine as engine_checks
from clauderon.proc import Completed
from tests.doctor.remedies import SETTINGS


def docker_that_says(tmp_path: Path, text: str) -> dict[str, str]:
    """An environment whose `docker` fails with these words, as docker itself was seen to say them."""
    (tmp_path / "docker").write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{text}\nEND\nexit 1\n")
    (tmp_path / "docker").chmod(0o755)
    return {"PATH": f"{tmp_path}:/usr/bin:/bin"}


UNREACHABLE = "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?"


@pytest.mark.parametrize(
    ("said", "mend"),
    [
        (
            "Got permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
            "sudo usermod -aG docker $USER   # then log out and back in, or: newgrp docker",
        ),
        (UNREACHABLE, "sudo systemctl start docker"),
        ('context "nosuch": context not found', "docker context use default"),
    ],
)
def test_an_engine_out_of_reach_has_the_remedy_of_the_documentation(
    tmp_path: Path, said: str, mend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_checks, "_SYSTEMD", tmp_path)
    docker, checks = engine_checks.reach(SETTINGS, docker_that_says(tmp_path, said))
    assert docker is None
    assert [(check.outcome, check.mend) for check in checks] == [("fail", mend)]


def test_an_engine_that_was_named_and_is_not_there_is_left_for_the_own_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = docker_that_says(tmp_path, UNREACHABLE)

    def mend(settings: Config = SETTINGS, **named: str) -> str:
        return engine_checks.reach(settings, {**environ, **named})[1][0].mend

    assert mend(DOCKER_HOST="tcp://nosuch:2375") == "unset DOCKER_HOST"
    assert mend(DOCKER_CONTEXT="nosuch") == "unset DOCKER_CONTEXT"
    named = SETTINGS._replace(docker=SETTINGS.docker._replace(context="nosuch"))
    assert mend(named) == "export CLAUDERON_DOCKER_CONTEXT=default"
    monkeypatch.setattr(engine_checks, "_SYSTEMD", tmp_path / "none")
    assert mend() == "sudo service docker start"


def test_without_docker_the_way_to_get_it_is_printed(tmp_path: Path) -> None:
    docker, checks = engine_checks.reach(SETTINGS, {"PATH": str(tmp_path)})
    assert docker is None
    assert [(check.name, check.outcome) for check in checks] == [("docker", "fail")]


def test_every_failure_names_a_command() -> None:
    with pytest.raises(TypeError):
        check_module.fail("disk", "full")  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="nothing to type"):
        check_module.fail("disk", "full", "")


@pytest.mark.parametrize("said", ["[" * 30_000, "\0/x", "/no/such/" + "d" * 300, "\udc80\x1b]0;x\x07"])
def test_what_is_no_directory_of_docker_is_no_bug_of_ours(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    """Seen as "clauderon: bug: OSError: File name too long", where something else answered to docker's name."""
    docker = Docker("docker", "", {})
    answer = Completed(("docker", "info"), 0, said.encode("utf-8", "surrogateescape"), b"")
    monkeypatch.setattr(Docker, "run", lambda *_words, **_options: answer)
    check = engine_checks.disk(docker)
    assert check.outcome == "ok" and len(check.found) < 300
