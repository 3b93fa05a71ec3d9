"""One session cannot push out of the audit what another's requests left there, nor fill it with the same again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clauderon.proxy.audit import log as audit
from clauderon.proxy.audit import share
from clauderon.proxy.audit.log import AuditLog
from clauderon.proxy.audit.reader import read
from clauderon.proxy.audit.record import AuditRecord
from tests.proxy.audit.records import record
from tests.proxy.audit.refused import REFUSED, _files, _written


@pytest.fixture(autouse=True)
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share, "_REST_S", 0.0)


@given(st.text(max_size=4000), st.text(max_size=4000), st.binary(max_size=4000), st.text(max_size=500))
@settings(max_examples=40)
def test_a_line_has_a_longest_length(host: str, rule: str, raw: bytes, more: str) -> None:
    r"""Seen to fail without the bound: a path of \xff became 10 KB."""
    path = raw.decode("utf-8", "backslashreplace")
    log = AuditLog(Path("unused"), max_bytes=1, keep=1)
    line = log._line(record(host=host, rule=rule, path=path, upgrade=more, error=more))
    assert len(line) <= 6 * 1024
    found = json.loads(line)
    assert path.startswith(found["path"]) and (found["path"] == path) == ("cut" not in found)
    line.encode()


def test_a_path_of_bytes_that_are_no_text_makes_a_line_of_two_kilobytes_at_most() -> None:
    path = (b"/" + b"\xff" * 2047).decode("utf-8", "backslashreplace")
    line = AuditLog(Path("unused"), max_bytes=1, keep=1)._line(record(path=path, **REFUSED))
    assert len(line) < 2048
    assert json.loads(line)["cut"] is True


@pytest.mark.parametrize("keep", [0, 1, 3])
def test_a_session_that_fills_the_files_drops_its_own_lines(path: Path, keep: int) -> None:
    """With requests that pass, which are not counted. Seen to fail without `carry`: nothing of the others was left."""
    most = 40_000

    def traffic() -> Iterator[AuditRecord]:
        yield from (record(n, "good") for n in range(20))
        yield from (record(n, "other") for n in range(20))
        for n in range(20 * (keep + 1) * most // 300):
            yield record(n, "evil")
            if n % 1000 == 0:
                yield record(n, "good")

    lines = _written(path, traffic(), max_bytes=most, keep=keep)
    good = [int(line["path"][4:]) for line in lines if line["session"] == "good"]
    assert good[:20] == list(range(20)) and good[20:] == sorted(good[20:]) and len(good) > 20
    assert len([line for line in lines if line["session"] == "other"]) == 20
    evil = [int(line["path"][4:]) for line in lines if line["session"] == "evil"]
    assert evil == sorted(evil) and len(evil) == len(set(evil))
    assert evil[-1] == 20 * (keep + 1) * most // 300 - 1, "the newest are there"
    sizes = [file.stat().st_size for file in _files(path)]
    assert len(sizes) <= keep + 2 and max(sizes) <= most, sizes
    assert not list(path.parent.glob("*.carried"))


@given(
    st.lists(st.tuples(st.sampled_from("abcde"), st.integers(1, 400)), max_size=60), st.integers(200, 20_000), st.integers(1, 3)
)  # fmt: skip
@settings(max_examples=40)
def test_every_session_keeps_its_share(
    tmp_path_factory: pytest.TempPathFactory, made: list[tuple[str, int]], most: int, count: int
) -> None:
    directory = tmp_path_factory.mktemp("c")
    log = AuditLog(Path("unused"), max_bytes=1, keep=1)
    lines = [
        (name, log._line(record(n, name)._replace(path=f"/{n}" + "x" * size)).encode())
        for n, (name, size) in enumerate(made)
    ]
    sources = []
    for n in range(count):
        source = directory / str(n)
        source.write_bytes(
            b"".join(line for _, line in lines[n * len(lines) // count : (n + 1) * len(lines) // count])
        )
        sources.append(source)
    target = directory / "carried"
    sizes = Counter[str]()
    for name, line in lines:
        sizes[name] += len(line)
    if not share.carry(sources, target, most):
        assert len(sizes) < 2 and not target.exists()
        return
    data = target.read_bytes()
    assert len(data) <= most
    kept = [line for _, line in lines if line in data]
    assert b"".join(kept) == data, "whole lines, in their order"
    for name in sizes:
        own = [line for other, line in lines if other == name]
        left = [line for line in own if line in data]
        assert left == own[len(own) - len(left) :], "the newest of each"
        if sizes[name] <= most // len(sizes):
            assert left == own, "who has little loses nothing"


def test_a_queue_that_is_full_has_room_for_another_session(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to fail without each session's own share: of the others' lines none was kept."""
    monkeypatch.setattr(audit, "MAX_QUEUED", 80)
    log = AuditLog(path, max_bytes=1 << 20, keep=1)
    for number in range(500):
        log.write(record(number, "evil"))
    for number in range(5):
        log.write(record(number, "good"))
    log._drain(everything=True)
    log._close()
    lines = list(read(path))
    assert len([line for line in lines if line.get("session") == "good"]) == 5
    assert sum(line.get("records", 0) for line in lines) == 500 - 80 == log.dropped


def test_a_disk_that_is_full_at_a_rotation_costs_the_old_lines_alone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> bool:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(share, "carry", full)
    lines = _written(path, [record(n, "ab"[n % 2]) for n in range(1000)], max_bytes=20_000, keep=2)
    assert lines[-1]["path"] == "/v1/999" and len(_files(path)) == 3


def test_a_link_in_the_place_of_a_rotated_file_is_not_read(path: Path, tmp_path: Path) -> None:
    victim = tmp_path / "elsewhere"
    victim.write_text("private\n")
    (tmp_path / "audit.jsonl.1").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        share.carry([tmp_path / "audit.jsonl.1"], tmp_path / "out", 100)
