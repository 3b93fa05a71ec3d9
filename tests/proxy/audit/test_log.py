"""The audit file: one line a record, rotation, faults of the disk, and reading it while it grows."""

from __future__ import annotations

import os
import stat
import threading
from functools import partial
from pathlib import Path

import pytest

from clauderon.proxy.audit import log as audit
from clauderon.proxy.audit.line import Lines
from clauderon.proxy.audit.log import AuditLog
from clauderon.proxy.audit.reader import read
from clauderon.proxy.audit.record import AuditRecord
from tests.proxy.audit.records import record
from tests.proxy.service_rig import eventually


def numbers(path: Path) -> list[int]:
    return [int(found["path"].rpartition("/")[2]) for found in read(path)]


def written(path: Path, number: int) -> bool:
    return number in numbers(path)


def test_a_record_becomes_one_line_with_every_field(log: AuditLog, path: Path) -> None:
    log.write(record(credential="anthropic", refused=True, upgrade="websocket", error="upstream-tls"))
    log.stop()
    assert list(read(path)) == [
        {
            "time": "2023-11-14T22:13:20.250Z",
            "kind": "request",
            "session": "one",
            "id": "id-one",
            "host": "api.anthropic.com",
            "port": 443,
            "method": "POST",
            "path": "/v1/0",
            "status": 200,
            "bytes_up": 1,
            "bytes_down": 2,
            "duration_ms": 12.3,
            "rule": "open",
            "credential": "anthropic",
            "refused": True,
            "upgrade": "websocket",
            "error": "upstream-tls",
        }
    ]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_lines_appear_without_a_stop(log: AuditLog, path: Path) -> None:
    log.write(record(1))
    eventually(lambda: path.exists() and numbers(path) == [1], "the line is written")
    log.write(record(2))
    eventually(lambda: numbers(path) == [1, 2], "the next one too")


def test_every_record_is_written_once_and_in_its_order_whoever_makes_its_line(
    log: AuditLog, path: Path
) -> None:
    for number in range(10 * audit.BATCH + 3):
        log.write(record(number))
        if number % 50 == 0:
            assert eventually(lambda: not log._queue and not log._records, "drained")
    with log._making:  # the other one is at it
        for number in range(10 * audit.BATCH + 3, 12 * audit.BATCH):
            log.write(record(number))
        assert len(log._records) >= 2 * audit.BATCH - 3
    log.stop()
    assert numbers(path) == list(range(12 * audit.BATCH))


def test_a_record_makes_no_line_beside_its_request(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[AuditRecord] = []

    def line(_lines: Lines, record: AuditRecord) -> str:
        made.append(record)
        return ""

    monkeypatch.setattr(Lines, "line", line)
    log = AuditLog(path, max_bytes=1 << 20, keep=3)
    for number in range(audit.BATCH - 1):
        log.write(record(number))
    assert made == []
    log.write(record())
    assert len(made) == audit.BATCH


def test_stop_writes_what_is_queued(log: AuditLog, path: Path) -> None:
    for number in range(5000):
        log.write(record(number))
    log.stop()
    assert numbers(path) == list(range(5000))


def test_rotation_keeps_so_many_files_in_order(path: Path) -> None:
    log = AuditLog(path, max_bytes=2000, keep=2)
    log.start()
    for number in range(30):
        log.write(record(number))
        if number % 5 == 4:
            eventually(partial(written, path, number), "written")
    log.stop()
    assert sorted(each.name for each in path.parent.iterdir()) == [
        "audit.jsonl",
        "audit.jsonl.1",
        "audit.jsonl.2",
    ]
    left = numbers(path)
    assert left == list(range(left[0], 30))
    assert all(each.stat().st_size <= 2000 for each in path.parent.iterdir())
    assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}


def test_keeping_none_starts_over(path: Path) -> None:
    log = AuditLog(path, max_bytes=500, keep=0)
    log.start()
    for number in range(4):
        log.write(record(number))
        eventually(partial(written, path, number), "written")
    log.stop()
    assert [each.name for each in path.parent.iterdir()] == ["audit.jsonl"]


def test_half_a_line_of_a_killed_worker_is_closed_off(path: Path) -> None:
    path.write_text('{"path": "/v1/0"}\n{"path": "/v')
    log = AuditLog(path, max_bytes=1 << 20, keep=1)
    log.start()
    log.write(record(7))
    log.stop()
    assert numbers(path) == [0, 7]


def test_a_file_that_was_removed_is_made_again(log: AuditLog, path: Path) -> None:
    log.write(record(1))
    eventually(path.exists, "the file")
    eventually(lambda: numbers(path) == [1], "written")
    path.unlink()
    log.write(record(2))
    eventually(lambda: path.exists() and numbers(path) == [2], "a new file")


def test_a_full_disk_loses_nothing_that_fits_the_queue_and_says_what_it_lost(
    log: AuditLog, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    full = threading.Event()
    full.set()

    def write(descriptor: int, data: bytes) -> int:
        if full.is_set() and threading.current_thread().name == "audit":
            written = real(descriptor, data[: len(data) // 2])
            if written:
                raise OSError(28, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr(audit, "RETRY_S", 0.01)
    monkeypatch.setattr(audit, "MAX_QUEUED", 10)
    monkeypatch.setattr(os, "write", write)
    for number in range(15):
        log.write(record(number))
    eventually(lambda: log.problem, "the problem shows")
    assert log.problem == "No space left on device"
    assert log.dropped == 5
    full.clear()
    eventually(lambda: len(list(read(path))) == 11, "written once there is room")
    lines = list(read(path))
    assert [line["path"] for line in lines[:-1]] == [f"/v1/{number}" for number in range(10)]
    assert (lines[-1]["kind"], lines[-1]["records"]) == ("lost", 5)
    eventually(lambda: not log.problem, "the problem is over")


def test_a_symlink_in_the_files_place_is_not_followed(log: AuditLog, path: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("")
    path.symlink_to(target)
    log.write(record(1))
    eventually(lambda: log.problem, "refused")
    assert target.read_text() == ""
