"""What a session's directories take of the disk, and who is told."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clauderon import proc
from clauderon.doctor import machine
from clauderon.paths import Home
from clauderon.session import disk
from clauderon.store import Store
from tests.standins.sessions import a_session

MIB = 1 << 20


def filled(home: Home, mib: int) -> Any:
    row = a_session(home, "one", "0123456789ab")
    home.worktree("one").mkdir()
    (home.worktree("one") / "big").write_bytes(os.urandom(mib * MIB))
    return row


def test_files_are_counted_once_and_links_are_not_followed(home: Home, tmp_path: Path) -> None:
    row = filled(home, 2)
    (tmp_path / "elsewhere").write_bytes(bytes(5 * MIB))
    (home.worktree("one") / "link").symlink_to(tmp_path)
    (home.worktree("one") / "again").hardlink_to(home.worktree("one") / "big")
    home.session_home(row.id).mkdir(parents=True)
    with (home.session_home(row.id) / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    usage = disk.measure(home, row)
    assert usage.whole and 2 * MIB <= usage.bytes < 3 * MIB


def test_a_walk_without_end_has_one(home: Home) -> None:
    row = filled(home, 1)
    assert not disk.measure(home, row, most_s=0.0).whole


def test_the_doctor_warns_past_the_limit(home: Home) -> None:
    row = filled(home, 2)
    assert machine.sessions_disk(home).outcome == "ok"
    with Store.open(home) as store:
        store.update(row.id, disk=MIB)
    check = machine.sessions_disk(home)
    assert check.outcome == "warn" and check.found.startswith("one has ")


def test_a_measurement_is_begun_when_one_is_due_and_read_afterwards(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = filled(home, 1)
    begun: list[Any] = []
    monkeypatch.setattr(proc, "daemon", lambda argv, **_rest: begun.append(argv))
    context: Any = SimpleNamespace(home=home, environ={})
    young = row.changed(created_at=time.time())
    assert not disk.later(context, [young], {})
    assert disk.later(context, [row], {}) and len(begun) == 1
    assert not disk.later(context, [row], {}), "one at a time"
    assert disk.main() == 0
    with Store.open(home) as store:
        assert disk.known(store)[row.id].bytes >= MIB
        store.remove(row.id)
    disk.main()
    with Store.open(home) as store:
        assert disk.known(store) == {}
