"""What a killed command had begun to write is removed by the next one that changes something."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clauderon import spec
from clauderon.cli import common
from clauderon.paths import Home
from clauderon.session import reconcile, unheard

ID = "0123456789ab"


def test_the_next_command_removes_the_drafts_of_killed_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to fail when only `reconcile` did. Found by scripts/crash: the same `unarchive` again left one, and a
    killed upload's half a file stayed for ever, as did the overlay that a first `create` tried out.
    """
    home = Home(tmp_path / "home")
    own, uploads, private = home.session_dir(ID), home.upload_dir(ID), home.git_dir(ID)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    kept = [own / "rights.json", own / f".rights.json.{os.getpid()}", uploads / "report.txt",
            uploads / f".upload-00.{os.getpid()}", uploads / f".agents-own.{dead.pid}",
            private / f".agents-own.{dead.pid}"]  # fmt: skip
    gone = [own / f".rights.json.{dead.pid}", own / f".launch.{dead.pid}", uploads / f".upload-00.{dead.pid}",
            private / f".given-branch.{dead.pid}", home.root / f".config.toml.{dead.pid}"]  # fmt: skip
    for path in (*kept, *gone):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    uploads.joinpath(f".upload-11.{dead.pid}").mkdir()
    scratch = tmp_path / f".clauderon-image-{dead.pid}-abc"
    scratch.mkdir()
    overlays = [home.root / f"overlay-{ID[::-1]}", home.root / f"overlay-{ID}"]
    for place, pid in zip(overlays, (os.getpid(), dead.pid), strict=True):
        place.with_name(f".{place.name}.{pid}").touch()
        place.joinpath("work", "work").mkdir(parents=True)
        place.joinpath("work", "work").chmod(0)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(unheard, "unheard", lambda _home, _store: [])
    context: Any = SimpleNamespace(home=home, store=SimpleNamespace(unfinished=list, facts=lambda _: {}))
    common._finish_interrupted(context, going=())
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in (*gone, scratch, overlays[1])) and overlays[0].exists()


def test_a_helpers_container_is_looked_for_where_nothing_else_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupted `create` undoes its row and asks docker nothing more: the container of its look into the image
    stayed until `reconcile`. Seen to fail when only unfinished sessions were a reason."""
    home = Home(tmp_path / "home")
    home.create()
    asked: list[object] = []
    monkeypatch.setattr(reconcile, "finish_interrupted", lambda context, _going: asked.append(context))
    left: dict[str, object] = {}
    context: Any = SimpleNamespace(
        home=home, store=SimpleNamespace(unfinished=list, facts=left.get, all=list)
    )
    left[spec.HELPER_FACT] = {}
    common._finish_interrupted(context, going=())
    assert asked == []
    left[spec.HELPER_FACT] = {"probe:0123456789ab": {"name": "x", "pid": 1}}
    common._finish_interrupted(context, going=())
    assert asked == [context]
