"""One service a home: the lock is held by one, and freed by its death."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time

import pytest

from clauderon.paths import Home
from clauderon.proxy.daemon import lockfile


def test_the_lock_is_held_by_one_and_freed_by_death(home: Home) -> None:
    assert lockfile.holder(home) is None
    script = (
        "import sys, time; from pathlib import Path; from clauderon.paths import Home\n"
        "from clauderon.proxy.daemon import lockfile\n"
        "lock = lockfile.acquire(Home(Path(sys.argv[1]))); lock.write({'pid': 1, 'note': 'x' * 100}); lock.write({'pid': 2})\n"
        "print('held', flush=True); time.sleep(600)"
    )
    child = subprocess.Popen([sys.executable, "-c", script, str(home.root)], stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None and child.stdout.readline() == b"held\n"
        assert lockfile.holder(home) == {"pid": 2}
        assert lockfile.acquire(home) is None
    finally:
        child.kill()
        child.communicate()
    assert lockfile.holder(home) is None
    assert lockfile.acquire(home) is not None


def test_a_second_service_does_not_wait_to_take_the_firsts_place(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would come up when the first is told to stop."""
    first = lockfile.acquire(home)

    def wait(_seconds: float) -> None:
        raise AssertionError("it waits")

    monkeypatch.setattr(time, "sleep", wait)
    assert first is not None and lockfile.acquire(home) is None


def test_a_reader_of_the_lock_is_waited_for(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = os.open(home.locks / "proxy.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(reader, fcntl.LOCK_SH)
    monkeypatch.setattr(time, "sleep", lambda _seconds: os.close(reader))
    assert lockfile.acquire(home) is not None
