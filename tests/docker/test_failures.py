"""What docker's failures mean, with the remedy for each."""

from __future__ import annotations

import pytest

from clauderon.docker import failures
from clauderon.errors import BackendError, CommandFailed, Conflict


def failure(stderr: str) -> CommandFailed:
    return CommandFailed(["docker", "run"], 125, b"", stderr.encode())


@pytest.mark.parametrize(
    ("stderr", "kind", "hint"),
    [
        (
            "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?",
            BackendError,
            "docker info",
        ),
        (
            "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
            BackendError,
            "sudo usermod -aG docker $USER   # then log out and back in, or: newgrp docker",
        ),
        (
            'docker: Error response from daemon: Conflict. The container name "/clauderon-x" is already in use by'
            ' container "0bc". You have to remove it',
            Conflict,
            "docker ps -a | grep clauderon",
        ),
        ("write /x: no space left on device", BackendError, "docker system df"),
    ],
)
def test_failures_are_explained_with_the_remedy(stderr: str, kind: type, hint: str) -> None:
    error = failures.explain(failure(stderr), "create x")
    assert type(error) is kind
    assert error.hint == hint
    assert error.detail == stderr


def test_a_missing_object_is_not_mistaken_for_an_engine_that_is_down() -> None:
    assert failures.is_missing(failure("Error: No such object: x"))
    assert not failures.is_missing(failure("Cannot connect to the Docker daemon at unix:///not found"))


def test_the_engines_number_of_cpus_is_read_from_its_refusal() -> None:
    text = "docker: Error response from daemon: Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available."
    assert failures.most_cpus(failure(text)) == "2.00"
