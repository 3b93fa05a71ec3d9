"""The service's log does not fill the disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def test_the_log_is_cut_before_it_fills_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from clauderon.proxy.daemon import logfile

    path = tmp_path / "proxy.log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        monkeypatch.setattr(logfile, "STDERR", descriptor)
        monkeypatch.setattr(logfile, "MAX_BYTES", 1000)
        for number in range(100):
            logfile.say(f"line {number}")
            logfile.trim(path)
    finally:
        os.close(descriptor)
    kept = (tmp_path / "proxy.log.1").read_text() + path.read_text()
    assert path.stat().st_size <= 1100
    assert "line 99" in kept
    logfile.say("to a closed descriptor")  # says nothing, and raises nothing
