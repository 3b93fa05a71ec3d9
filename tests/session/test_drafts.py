"""What a killed command had begun to write is removed by the next one that changes something."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from clauderon.paths import Home
from clauderon.session import probe, reconcile, unheard

ID = "0123456789ab"


def test_the_next_command_removes_the_drafts_of_killed_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to fail when only `reconcile` did. Found by scripts/crash: the same `unarchive` again left one, and a
    killed upload's half a file stayed for ever.
    """
    home = Home(tmp_path / "home")
    own, uploads = home.session_dir(ID), home.upload_dir(ID)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    kept = [own / "rights.json", own / f".rights.json.{os.getpid()}", uploads / "report.txt",
            uploads / f".upload-00.{os.getpid()}", uploads / f".agents-own.{dead.pid}"]  # fmt: skip
    gone = [own / f".rights.json.{dead.pid}", own / f".launch.{dead.pid}", uploads / f".upload-00.{dead.pid}"]
    for path in (*kept, *gone):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    uploads.joinpath(f".upload-11.{dead.pid}").mkdir()
    monkeypatch.setattr(probe, "sweep", lambda _context: None)
    monkeypatch.setattr(unheard, "unheard", lambda _home, _store: [])
    reconcile.finish_interrupted(SimpleNamespace(home=home, store=SimpleNamespace(unfinished=list)))  # type: ignore[arg-type]
    assert all(path.exists() for path in kept) and not any(path.exists() for path in gone)
