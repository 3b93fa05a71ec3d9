"""Files of a worktree as git's blobs: to the byte, within a bound, and only of a file that holds still."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.airlock.blobs import Writer
from clauderon.airlock.tree import Found, look
from tests.standins.repository import git, make_repo


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_repo(tmp_path_factory.mktemp("blobs") / "repo")


def found(repository: Path, data: bytes) -> Found:
    (repository / "file").write_bytes(data)
    top = os.open(repository, os.O_RDONLY)
    try:
        one = look(top, b"file")
    finally:
        os.close(top)
    assert one is not None
    return one


def writer(repository: Path, most: int = 1 << 20) -> Writer:
    return Writer(repository / ".git/objects", sha256=False, total_bytes=most)


@given(data=st.binary())
def test_git_reads_back_what_was_written(repository: Path, data: bytes) -> None:
    oid = writer(repository).blob(found(repository, data), 1 << 20)
    assert oid == git("hash-object", "--no-filters", "file", cwd=repository).strip()
    git("fsck", "--strict", cwd=repository)


def test_the_longer_names_of_objects_too(tmp_path: Path) -> None:
    git("init", "--quiet", "--object-format=sha256", str(tmp_path / "r"), cwd=tmp_path)
    writer = Writer(tmp_path / "r/.git/objects", sha256=True, total_bytes=1 << 20)
    oid = writer.blob(found(tmp_path / "r", b"x\r\n"), 1 << 20)
    assert oid == git("hash-object", "--no-filters", "file", cwd=tmp_path / "r").strip()


def test_a_file_beyond_the_bound_is_none_and_leaves_nothing(repository: Path) -> None:
    one = found(repository, b"12345678901")
    before = sorted(repository.rglob("*"))
    assert writer(repository).blob(one, 10) is None
    assert sorted(repository.rglob("*")) == before


def test_all_files_together_have_a_bound(repository: Path) -> None:
    with_room_for_one = writer(repository, 15)
    assert with_room_for_one.blob(found(repository, b"1234567890"), 100) is not None
    assert with_room_for_one.blob(found(repository, b"0987654321"), 100) is None


def test_a_file_that_shrinks_while_it_is_read_is_none(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its size is said first, and the name of a blob depends on it; three tries, then it is left out."""
    one = found(repository, b"x" * 10)
    assert one.descriptor is not None
    tries = []

    def shrunk(*_: object) -> os.stat_result:
        tries.append(1)
        return os.stat_result((0o100644, 0, 0, 1, 0, 0, 11, 0, 0, 0))

    monkeypatch.setattr("clauderon.airlock.blobs.os.fstat", shrunk)
    assert writer(repository).blob(one, 100) is None
    assert len(tries) == 3
    assert not (repository / ".git/objects/tmp_blob").exists()


def test_a_file_that_grows_is_as_long_as_it_was_when_it_was_looked_at(repository: Path) -> None:
    written = writer(repository)._store(iter([b"abc", b"def", b"ghi"]), 4)
    assert written is not None
    assert git("cat-file", "blob", written, cwd=repository) == "abcd"


def test_a_link_is_its_target(repository: Path) -> None:
    (repository / "link").symlink_to("../not/there")
    top = os.open(repository, os.O_RDONLY)
    one = look(top, b"link")
    os.close(top)
    assert one is not None and one.descriptor is None
    oid = writer(repository).blob(one, 1 << 20)
    assert git("cat-file", "blob", oid or "", cwd=repository) == "../not/there"
