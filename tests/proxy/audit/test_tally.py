"""The running count of the audit agrees with a count of all its lines, however it was rotated and cut meanwhile."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.proxy.audit.line import Lines
from clauderon.proxy.audit.record import AuditRecord
from clauderon.proxy.audit.tally import Count, Tally, _tallied

_text = st.text(max_size=30)
_records = st.builds(
    AuditRecord,
    time=st.floats(1e9, 2e9),
    kind=st.sampled_from(["request", "tunnel", "upgrade", "connection"]),
    session=st.sampled_from(["0123456789ab", "ba9876543210"]),
    session_name=_text,
    host=_text,
    port=st.just(443),
    method=_text,
    path=_text | st.just('", "bytes_up": 7, "bytes_down": 7, "refused": true}\n{"time": "'),
    status=st.integers(0, 599),
    bytes_up=st.integers(0, 10**12),
    bytes_down=st.integers(0, 10**12),
    duration=st.floats(0, 9),
    rule=_text,
    credential=st.none() | _text,
    refused=st.booleans(),
    upgrade=st.none() | _text,
    error=st.none() | _text | st.just(', "repeated": 9'),
)


def counted(records: list[AuditRecord]) -> dict[str, list[int]]:
    sums: dict[str, list[int]] = {}
    for one in records:
        into = sums.setdefault(one.session, [0] * 5)
        said = (
            one.kind != "connection", one.refused, not one.refused and one.error is not None, one.bytes_up,
            one.bytes_down,
        )  # fmt: skip
        into[:] = [a + b for a, b in zip(into, said, strict=True)]
    return sums


@given(st.lists(_records, max_size=12))
def test_every_line_the_proxy_writes_is_understood(records: list[AuditRecord]) -> None:
    """Whatever a container puts into a path, a host or an error: a record counts once, and as what it was."""
    line = Lines().line
    found = _tallied("".join(map(line, records)).encode())
    sums = {session: list(tally[:5]) for session, tally in found.items()}
    assert sums == counted(records)


def a_line(session: str = "a", **more: object) -> str:
    record = {
        "time": "2026-01-02T03:04:05.000Z", "kind": "request", "session": "n", "id": session, "bytes_up": 1,
        "bytes_down": 2, "rule": "open", "refused": False, **more,
    }  # fmt: skip
    return json.dumps(record) + "\n"


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def requests(audit: Path) -> int:
    """By a count that goes on where the last one ended."""
    count = Count(audit, audit.with_name("tally"))
    found = count.read_on()
    count._save()
    return found.get("a", Tally()).requests


def test_it_goes_on_where_it_ended_through_rotations_and_half_lines(audit: Path) -> None:
    assert requests(audit) == 0
    audit.write_text(a_line() * 3 + a_line()[:20])
    assert requests(audit) == 3
    with audit.open("a") as file:
        file.write(a_line()[20:] + a_line())
    assert requests(audit) == 5
    with audit.open("a") as file:
        file.write(a_line())
    audit.rename(audit.with_name("audit.jsonl.1"))
    audit.write_text(a_line())
    assert requests(audit) == 7
    # What a rotation carried over lies in a file of its own behind the others, and was counted.
    audit.with_name("audit.jsonl.2").write_text(a_line() * 5)
    assert requests(audit) == 7


def test_what_was_counted_before_its_file_went_stays_counted(audit: Path) -> None:
    audit.write_text(a_line() * 3)
    assert requests(audit) == 3
    audit.rename(audit.with_name("audit.jsonl.1"))
    audit.write_text(a_line())
    assert requests(audit) == 4
    audit.with_name("audit.jsonl.1").unlink()
    assert requests(audit) == 4


def test_an_audit_that_somebody_removed_begins_anew(audit: Path) -> None:
    audit.write_text(a_line() * 3)
    assert requests(audit) == 3
    audit.write_text(a_line())  # the same inode, and shorter
    assert requests(audit) in (1, 4)
    held = os.open(audit, os.O_RDONLY)
    audit.unlink()
    audit.write_text(a_line() * 2)
    assert requests(audit) == 2
    os.close(held)


@pytest.mark.parametrize(
    "kept", ["", "{", "[]", '{"inode": 1}', '{"inode":1,"offset":2,"sessions":{"a":[1,"x"]}}']
)
def test_a_kept_count_that_is_damaged_is_counted_again(audit: Path, kept: str) -> None:
    audit.write_text(a_line() * 3)
    audit.with_name("tally").write_text(kept)
    assert requests(audit) == 3


def test_a_line_that_counts_several_counts_as_many(audit: Path) -> None:
    audit.write_text(
        a_line(refused=True, repeated=41) + a_line(refused=True, others=7) + '{"kind": "lost"}\n'
    )
    found = Count(audit, audit.with_name("tally")).read_on()["a"]
    assert (found.requests, found.refusals) == (48, 48)
