"""Throwaway containers never outlive their command, and an image is looked into once."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from clauderon import spec
from clauderon.errors import BackendError
from clauderon.session import probe
from clauderon.session.context import Context
from tests.session.stand_ins import Engine

ID = "0123456789ab"


def test_it_is_removed_whatever_happens_in_it(context: Context, engine: Engine) -> None:
    with pytest.raises(BackendError), probe._throwaway(context, ID) as (name, words):
        assert {"--network", "none", "--pull", "never", name} <= set(words)
        assert context.store.facts(spec.HELPER_FACT), "known before it is there, for whoever finds it"
        raise BackendError("x", "y")
    assert engine.called == [("container_remove", (probe.name_of(ID),))]
    assert context.store.facts(spec.HELPER_FACT) == {}


def test_those_of_killed_commands_are_swept_and_a_living_ones_stays(context: Context, engine: Engine) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for name, pid in (("mine", os.getpid()), ("dead", dead.pid)):
        context.store.keep_fact(f"{spec.HELPER_FACT}{name}", {"name": name, "pid": pid})
    probe.sweep(context)
    assert engine.called == [("container_remove", ("dead",))]
    assert list(context.store.facts(spec.HELPER_FACT)) == [f"{spec.HELPER_FACT}mine"]


def test_an_image_is_looked_into_once(context: Context, engine: Engine) -> None:
    said = "clauderon-probe=1\npath=/bin\nprogram.git=/usr/bin/git\nmachine=x86_64\nuid=0\ngid=0\n"
    looks: list[tuple[str, ...]] = []

    def run(*words: str, **_options: Any) -> Any:
        looks.append(words)
        return SimpleNamespace(text=said)

    engine.verbs["run"] = run
    first = probe.image_facts(context, ID, "sha256:1", quiet=True)
    assert probe.image_facts(context, ID, "sha256:1", quiet=True) == first
    assert len(looks) == 1 and "--cap-drop" in looks[0] and looks[0][-1] == "sha256:1"
    probe.image_facts(context, ID, "sha256:2", quiet=True)
    assert len(looks) == 2
