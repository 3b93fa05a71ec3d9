"""Faults that nobody can record on purpose: their transcripts were made by hand, each with its reason."""

from __future__ import annotations

import pytest

from clauderon.docker import failures
from clauderon.errors import BackendError, CommandFailed
from tests.transcripts.scenario import Scene, scenario
from tests.transcripts.scenarios.docker_verbs import docker, spec


@scenario(fault="an engine's disk cannot be filled without harm to the machine; the words are containerd's")
def docker_pull_on_a_full_disk(scene: Scene) -> None:
    with pytest.raises(BackendError) as failure:
        docker(scene).image_pull(
            "127.0.0.1:5000/agent:1", on_progress=lambda *_: None, offline="go on without", drawn=False
        )
    assert (failure.value.why, failure.value.hint) == ("the engine's disk is full", "docker system df")


@scenario(fault="as above, at the container's own directory")
def docker_run_on_a_full_disk(scene: Scene) -> None:
    with pytest.raises(CommandFailed) as failure:
        docker(scene).container_run(spec())
    explained = failures.explain(failure.value, "start one")
    assert (explained.why, explained.hint) == ("the engine's disk is full", "docker system df")
