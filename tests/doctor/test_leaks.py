"""The search of `doctor --leaks`: what is read, what is not followed, and what is said of what cannot be read."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from clauderon.doctor import leaks
from clauderon.doctor.leaks import Found


@pytest.fixture
def place(tmp_path: Path) -> Path:
    made = tmp_path / "place"
    made.mkdir()
    return made


def contents(places: Iterator[tuple[str, Iterable[bytes]]]) -> dict[str, bytes]:
    return {place: b"".join(pieces) for place, pieces in places}


def test_a_file_is_read_and_a_link_is_what_it_says(place: Path) -> None:
    (place / "a").write_bytes(b"content")
    (place / "link").symlink_to("/etc/shadow-of-nobody")
    found = Found()
    assert contents(leaks._tree(place, found)) == {
        f"{place}/a": b"content",
        f"{place}/link": b"/etc/shadow-of-nobody",
    }
    assert found.unread == []


def test_a_pipe_that_an_agent_left_blocks_nothing(place: Path) -> None:
    os.mkfifo(place / "pipe")
    assert contents(leaks._tree(place, Found())) == {}


@pytest.mark.skipif(os.getuid() == 0, reason="root can read everything")
def test_what_cannot_be_read_is_said(place: Path) -> None:
    (place / "a").write_bytes(b"x")
    (place / "a").chmod(0)
    found = Found()
    assert contents(leaks._tree(place, found)) == {}
    assert "Permission denied" in found.unread[0]


def test_a_name_that_would_drive_a_terminal_is_made_harmless(place: Path) -> None:
    (place / "a\x1b[2Jb").write_bytes(b"x")
    assert list(contents(leaks._tree(place, Found()))) == [f"{place}/a?[2Jb"]


def archive() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, content in (("bin/x", b"one"), ("tmp/y", b"two" * 100_000)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("tmp/l")
        link.type, link.linkname = tarfile.SYMTYPE, "/secret/target"
        tar.addfile(link)
    return made.getvalue()


@pytest.mark.parametrize("size", [1, 511, 512, 4096, 1 << 20])
def test_a_tar_is_read_in_whatever_pieces_it_comes(size: int) -> None:
    raw = archive()
    pieces = (raw[at : at + size] for at in range(0, len(raw), size))
    found = Found()
    assert contents(leaks._archive("container", pieces, found)) == {
        "container:/bin/x": b"one",
        "container:/tmp/y": b"two" * 100_000,
        "container:/tmp/l": b"/secret/target",
    }
    assert found.unread == []


def test_half_a_tar_is_said_and_no_error(tmp_path: Path) -> None:
    found = Found()
    contents(leaks._archive("container", iter([archive()[:1000]]), found))
    assert found.unread and found.unread[0].startswith("container: ")
