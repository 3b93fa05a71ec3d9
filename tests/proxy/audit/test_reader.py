"""Reading the audit across its files, and while it grows."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import cast

from clauderon.proxy.audit.log import AuditLog
from clauderon.proxy.audit.reader import read
from tests.proxy.audit.records import record
from tests.proxy.service_rig import eventually


def test_reading_selects_a_session_by_name_or_id(log: AuditLog, path: Path) -> None:
    for number in range(4):
        log.write(record(number, session=("one", "two")[number % 2], path=f"/one/{number}"))
    log.stop()
    assert [found["path"] for found in read(path, session="one")] == ["/one/0", "/one/2"]
    assert [found["path"] for found in read(path, session="id-two")] == ["/one/1", "/one/3"]
    assert list(read(path, session="three")) == []


def test_following_goes_on_through_rotations_without_loss(path: Path) -> None:
    log = AuditLog(path, max_bytes=1500, keep=50)
    log.start()
    total = 60
    written = iter(range(total))

    def wait() -> bool:
        # Each time the reader has nothing, something more is written, often enough with a rotation.
        for number in [n for _, n in zip(range(7), written, strict=False)]:
            log.write(record(number))
        deadline_met = eventually(lambda: not log._queue and not log._records, "drained")
        return bool(deadline_met)

    found = []
    for line in read(path, follow=True, wait=wait):
        found.append(int(line["path"].rpartition("/")[2]))
        if len(found) == total:
            break
    log.stop()
    assert found == list(range(total))
    assert (path.parent / "audit.jsonl.1").exists()


def test_following_a_file_that_is_not_there_yet_waits_for_it(path: Path) -> None:
    rounds = iter(range(3))

    def wait() -> bool:
        if next(rounds) == 1:
            path.write_text('{"path": "/v1/5"}\n{"half')
        return True

    reader = read(path, follow=True, wait=wait)
    assert next(reader)["path"] == "/v1/5"
    cast("Generator[object]", reader).close()
