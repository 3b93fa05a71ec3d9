"""Every scenario, replayed from what docker and git really said; needs neither an engine nor a network."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.transcripts.record import play_from
from tests.transcripts.scenario import FAULTS, RECORDINGS, Scenario, all_scenarios

SCENARIOS = all_scenarios()


@pytest.mark.parametrize("one", SCENARIOS.values(), ids=SCENARIOS)
def test_replay(one: Scenario, tmp_path: Path) -> None:
    play_from(one, one.path, tmp_path, os.environ["PATH"])


def test_every_recording_has_its_scenario() -> None:
    files = {path.name for directory in (RECORDINGS, FAULTS) for path in directory.iterdir()}
    assert files == {one.path.name for one in SCENARIOS.values()}
