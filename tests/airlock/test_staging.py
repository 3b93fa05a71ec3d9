"""Copies of changed files for git to make blobs of: only of files that hold still, and with the right attributes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.airlock import staging as module
from clauderon.airlock.staging import Staging
from clauderon.airlock.tree import look


class Worktree:
    """Files, and their way into the staging directory."""

    def __init__(self, root: Path, *, file_bytes: int = 1 << 20, total_bytes: int = 1 << 20) -> None:
        self.root = root / "worktree"
        self.root.mkdir()
        self.staging = Staging(root / "staging", file_bytes=file_bytes, total_bytes=total_bytes)
        self.descriptor = os.open(self.root, os.O_RDONLY)

    def write(self, name: str, text: str = "text\n", mode: int = 0o644) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def add(self, name: str) -> bool | None:
        found = look(self.descriptor, os.fsencode(name))
        assert found is not None
        try:
            return self.staging.add(self.descriptor, os.fsencode(name), found)
        finally:
            if found.descriptor is not None:
                os.close(found.descriptor)

    def staged(self) -> dict[str, str]:
        top = self.staging.top
        return {str(path.relative_to(top)): path.read_text() for path in top.rglob("*") if path.is_file()}


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Worktree]]:
    made: list[Worktree] = []

    def call(**bounds: int) -> Worktree:
        made.append(Worktree(tmp_path, **bounds))
        return made[-1]

    yield call
    for one in made:
        os.close(one.descriptor)


def test_a_file_is_copied_with_its_mode_and_named_once(make: Callable[..., Worktree]) -> None:
    tree = make()
    tree.write("bin/run", "x", 0o755)
    assert tree.add("bin/run") is True
    assert tree.staging.paths == [b"bin/run"]
    assert (tree.staging.top / "bin/run").stat().st_mode & 0o777 == 0o755


def test_the_attributes_above_a_file_come_with_it_and_no_others(make: Callable[..., Worktree]) -> None:
    """An ignored one as well: git would read it."""
    tree = make()
    for name in (".gitattributes", "a/.gitattributes", "a/b/c.txt", "other/.gitattributes"):
        tree.write(name, name)
    tree.add("a/b/c.txt")
    assert tree.staged() == {name: name for name in (".gitattributes", "a/.gitattributes", "a/b/c.txt")}
    assert tree.staging.paths == [b"a/b/c.txt"]


def test_attributes_that_are_changed_themselves_are_staged_once(make: Callable[..., Worktree]) -> None:
    tree = make()
    tree.write("a.txt")
    tree.write(".gitattributes", "*.txt text\n")
    assert tree.add("a.txt") is True and tree.add(".gitattributes") is True
    assert tree.staging.paths == [b"a.txt", b".gitattributes"]


def test_attributes_that_are_a_link_lead_nowhere(make: Callable[..., Worktree], tmp_path: Path) -> None:
    tree = make()
    (tmp_path / "secret").write_text("secret")
    (tree.root / ".gitattributes").symlink_to(tmp_path / "secret")
    tree.write("a.txt")
    tree.add("a.txt")
    assert "secret" not in "".join(tree.staged().values())


@pytest.mark.parametrize(("file_bytes", "total_bytes"), [(4, 100), (100, 4)])
def test_a_file_beyond_a_bound_is_not_taken(
    make: Callable[..., Worktree], file_bytes: int, total_bytes: int
) -> None:
    tree = make(file_bytes=file_bytes, total_bytes=total_bytes)
    tree.write("a.txt", "12345")
    assert tree.add("a.txt") is False
    assert (tree.staged(), tree.staging.paths) == ({}, [])


def test_a_path_that_no_name_leads_to_is_none(make: Callable[..., Worktree]) -> None:
    tree = make()
    tree.write("a.txt")
    found = look(tree.descriptor, b"a.txt")
    assert found is not None
    assert tree.staging.add(tree.descriptor, b"d/" * 1600 + b"a.txt", found) is None
    assert found.descriptor is not None
    os.close(found.descriptor)


def test_a_directory_that_became_a_file_while_we_looked_is_none(make: Callable[..., Worktree]) -> None:
    tree = make()
    tree.write("a")
    tree.add("a")
    (tree.root / "a").unlink()
    tree.write("a/b")
    assert tree.add("a/b") is None
    assert tree.staged() == {"a": "text\n"}


def test_a_file_that_never_holds_still_is_not_taken(
    make: Callable[..., Worktree], monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = make()
    tree.write("a.txt", "12345")
    real = os.fstat

    def longer(descriptor: int) -> os.stat_result:
        values = list(real(descriptor))
        values[6] += 1
        return os.stat_result(values)

    with monkeypatch.context() as patched:
        patched.setattr("clauderon.airlock.staging.os.fstat", longer)
        assert tree.add("a.txt") is False
    assert tree.staged() == {}


def test_what_an_earlier_look_left_is_gone_and_so_is_this_one(tmp_path: Path) -> None:
    (tmp_path / "staging/deep").mkdir(parents=True)
    (tmp_path / "staging/deep/old").touch()
    staging = Staging(tmp_path / "staging", file_bytes=1, total_bytes=1)
    assert list(staging.top.iterdir()) == []
    staging.close()
    assert not staging.top.exists()


@given(
    paths=st.lists(st.binary(min_size=1, max_size=8), unique=True, max_size=60),
    bad=st.sets(st.integers(0, 59), max_size=module._MOST_REFUSED),
)
def test_the_paths_that_git_refuses_are_found_and_all_others_are_added_once(
    tmp_path_factory: pytest.TempPathFactory, paths: list[bytes], bad: set[int]
) -> None:
    staging = Staging(tmp_path_factory.getbasetemp() / "staging", file_bytes=1, total_bytes=1)
    staging.paths = paths
    refused = {path for number, path in enumerate(paths) if number in bad}
    added: list[bytes] = []

    def add(group: Iterable[bytes]) -> bool:
        group = list(group)
        if refused & set(group):
            return False
        added.extend(group)
        return True

    left = staging.converted(add)
    assert sorted([*left, *added]) == sorted(paths)
    assert refused <= set(left)
    if len(refused) < module._MOST_REFUSED:
        assert refused == set(left)
