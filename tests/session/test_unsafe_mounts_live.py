"""Bind mounts as other names of protected places: takes root, so these are marked live."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from clauderon.session import protected
from tests.session.given_stage import Stage

pytestmark = [pytest.mark.live, pytest.mark.skipif(os.getuid() != 0, reason="mounting takes root")]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.fixture
def bound(tmp_path: Path) -> Iterator[list[Path]]:
    """Mount points to be unmounted."""
    points: list[Path] = []
    yield points
    for point in reversed(points):
        subprocess.run(["umount", "--lazy", str(point)], check=True)


def bind(source: Path, point: Path, bound: list[Path]) -> None:
    point.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", "--bind", str(source), str(point)], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip("nothing can be mounted here")
    bound.append(point)


def test_a_bind_mount_elsewhere_is_the_same_place(stage: Stage, tmp_path: Path, bound: list[Path]) -> None:
    """Seen to fail without `_coordinate`: a directory in a protected one has no protected parent there."""
    bind(stage.home.root / "secrets", tmp_path / "srv/data", bound)
    assert stage.volume(f"{tmp_path}/srv/data:/x:ro")
    bind(stage.user, tmp_path / "srv/more", bound)
    assert stage.volume(f"{tmp_path}/srv/more:/x:ro") and stage.volume(f"{tmp_path}/srv/more/.aws:/x:ro")
    assert stage.volume(f"{tmp_path}/srv/more/data:/x") == ()


def test_where_there_is_no_mount_table_inodes_tell(
    stage: Stage, tmp_path: Path, bound: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS, or in other letters on a file system that knows no case. Seen to fail without `_inodes`."""
    monkeypatch.setattr(protected, "_mount_table", list)
    bind(stage.home.root, tmp_path / "srv/state", bound)
    assert stage.volume(f"{tmp_path}/srv/state/worktrees:/x:ro")
    bind(stage.user, tmp_path / "srv/me", bound)
    assert stage.volume(f"{tmp_path}/srv/me:/x:ro")


def test_what_is_mounted_below_comes_along(stage: Stage, tmp_path: Path, bound: list[Path]) -> None:
    """docker binds recursively. Seen to fail without `_mounted_below`."""
    (tmp_path / "srv/here").mkdir(parents=True)
    assert stage.volume(f"{tmp_path}/srv:/x:ro") == ()
    bind(stage.home.root, tmp_path / "srv/here/below", bound)
    assert stage.volume(f"{tmp_path}/srv:/x:ro")
