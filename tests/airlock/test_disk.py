"""What the disk can do is asked once, and believed before the settings are."""

from __future__ import annotations

from pathlib import Path

import pytest

from clauderon.airlock import disk
from clauderon.paths import Home
from tests.airlock.world import call, open_session


def test_a_disk_without_modes_is_believed(repo: Path, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    call("git", "config", "core.fileMode", "false", cwd=repo)
    monkeypatch.setattr(disk, "abilities", lambda _directory: disk.Abilities(False, True, True))
    world = open_session(repo, home)
    (world.worktree / "README.md").chmod(0o755)
    assert world.state().dirty == 0


def test_the_disk_is_asked_once_and_left_as_it_was(tmp_path: Path) -> None:
    disk.abilities.cache_clear()
    assert disk.corrections({}, tmp_path) == disk.corrections({"core.filemode": "true"}, tmp_path) == ()
    assert disk.abilities.cache_info().misses == 0
    before = set(tmp_path.iterdir())
    assert disk.abilities(tmp_path) == disk.Abilities(modes=True, links=True, cases=True)
    assert set(tmp_path.iterdir()) == before
