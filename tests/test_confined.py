"""Writing below a directory that a container writes to as well."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clauderon.confined import Tree, read


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory on the host that no container may reach."""
    place = tmp_path / "outside"
    place.mkdir()
    (place / "secret.json").write_text('{"auth": "fake"}')
    return place


def test_files_and_directories_are_made(tmp_path: Path) -> None:
    Tree(tmp_path / "home").write("a/b/file", b"text", 0o600)
    assert (tmp_path / "home/a/b/file").read_bytes() == b"text"
    assert (tmp_path / "home/a/b/file").stat().st_mode & 0o777 == 0o600


def test_a_link_in_place_of_a_directory_is_set_aside_and_not_followed(tmp_path: Path, outside: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".codex").symlink_to(outside)
    Tree(home).write(".codex/auth.json", b"placeholder")
    assert [entry.name for entry in outside.iterdir()] == ["secret.json"]
    assert (home / ".codex/auth.json").read_bytes() == b"placeholder"
    assert (home / ".codex.set-aside-1").is_symlink()


def test_a_link_in_place_of_a_file_is_replaced_and_its_target_left_alone(
    tmp_path: Path, outside: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "file").symlink_to(outside / "secret.json")
    Tree(home).write("file", b"ours")
    assert (outside / "secret.json").read_text() == '{"auth": "fake"}'
    assert not (home / "file").is_symlink()


def test_a_planted_draft_is_not_written_through(tmp_path: Path, outside: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / f".file.{os.getpid()}").symlink_to(outside / "secret.json")
    Tree(home).write("file", b"ours")
    assert (outside / "secret.json").read_text() == '{"auth": "fake"}'


def test_a_directory_in_place_of_a_file_is_kept_under_another_name(tmp_path: Path) -> None:
    (tmp_path / "home/file/work").mkdir(parents=True)
    Tree(tmp_path / "home").write("file", b"ours")
    assert (tmp_path / "home/file").read_bytes() == b"ours"
    assert (tmp_path / "home/file.set-aside-1/work").is_dir()


@pytest.mark.skipif(os.geteuid() != 0, reason="giving files away needs root")
def test_ownership_is_never_given_through_a_link(tmp_path: Path, outside: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "inner").symlink_to(outside)
    (home / "leaf").symlink_to(outside / "secret.json")
    tree = Tree(home, owner=(1234, 1234))
    tree.directory("inner/deeper")
    tree.link("leaf", "/elsewhere")
    assert (outside.stat().st_uid, (outside / "secret.json").stat().st_uid) == (0, 0)
    assert (home / "inner/deeper").stat().st_uid == 1234


def test_reading_follows_no_link(tmp_path: Path, outside: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "leaf").symlink_to(outside / "secret.json")
    (home / "inner").symlink_to(outside)
    assert read(home, "leaf", 100) is None
    assert read(home, "inner/secret.json", 100) is None


def test_reading_a_pipe_or_too_much_answers_none_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"x" * 101)
    assert read(tmp_path, "pipe", 100) is None
    assert read(tmp_path, "large", 100) is None
    assert read(tmp_path, "missing/file", 100) is None


def test_reading_a_file_answers_its_content(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/file").write_bytes(b"x" * 100)
    assert read(tmp_path, "a/file", 100) == b"x" * 100
