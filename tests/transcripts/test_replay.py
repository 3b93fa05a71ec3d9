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


def test_no_line_is_longer_than_a_screen() -> None:
    """A transcript is read in review."""
    files = [path for directory in (RECORDINGS, FAULTS) for path in directory.iterdir()]
    longest = {path.name: max(map(len, path.read_text().splitlines())) for path in files}
    assert {name: length for name, length in longest.items() if length > 200} == {}
