"""What a person uploads is the file they mean, also where an agent writes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from clauderon.errors import Refused
from clauderon.paths import Home
from clauderon.session.source import open_source


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home.from_environ({"HOME": str(tmp_path)})
    (home.worktrees / "fix" / "docs").mkdir(parents=True)
    (home.worktrees / "fix" / "notes.txt").write_text("notes")
    (home.worktrees / "fix" / "docs" / "a.txt").write_text("a")
    (tmp_path / "key").write_text("fake-key")
    return home


def read(home: Home, file: Path) -> str:
    with open_source(home, file, "upload") as source:
        return source.read().decode()


@pytest.mark.parametrize(
    "plant",
    [
        lambda tree, key: (tree / "x").symlink_to(key),
        lambda tree, key: (tree / "x").symlink_to(os.path.relpath(key, tree)),
        lambda tree, key: ((tree / "y").symlink_to(key), (tree / "x").symlink_to("y")),
        lambda tree, key: ((tree / "d").symlink_to(key.parent), (tree / "x").symlink_to("d/key")),
        lambda tree, _key: (tree / "x").symlink_to("/proc/self/environ"),
        lambda tree, _key: os.mkfifo(tree / "x"),
    ],
)
def test_a_planted_link_does_not_send_a_file_of_yours(
    home: Home,
    tmp_path: Path,
    plant: Callable[[Path, Path], object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a plain `open` the link would lead the upload to the key. Seen to fail with a plain `open`."""
    tree = home.worktrees / "fix"
    plant(tree, tmp_path / "key")
    (tmp_path / "mine").symlink_to(tree)
    (tmp_path / "my-x").symlink_to(tree / "x")
    monkeypatch.chdir(tree)
    for way in (tree / "x", Path("x"), Path("docs/../x"), tmp_path / "mine/x", tmp_path / "my-x",
                tree / "../fix/x", tmp_path / "mine/../fix/x"):  # fmt: skip
        with pytest.raises(Refused, match="may be an agent's"):
            read(home, way)


def test_a_planted_directory_is_not_followed(home: Home, tmp_path: Path) -> None:
    (home.worktrees / "fix" / "d").symlink_to(tmp_path)
    with pytest.raises(Refused):
        read(home, home.worktrees / "fix" / "d" / "key")


def test_plain_files_are_read_wherever_they_are(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to fail where every file counted as an agent's."""
    tree = home.worktrees / "fix"
    monkeypatch.chdir(tree / "docs")
    assert [read(home, Path(each)) for each in ("a.txt", "../notes.txt", tree / "notes.txt")] == [
        "a",
        "notes",
        "notes",
    ]
    assert read(home, Path("../../../../key")) == "fake-key"


def test_your_own_links_are_followed(home: Home, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("key")
    (tmp_path / "notes").symlink_to(home.worktrees / "fix" / "notes.txt")
    assert read(home, tmp_path / "link") == "fake-key"
    assert read(home, tmp_path / "notes") == "notes"
    (tmp_path / "round").symlink_to("round")
    with pytest.raises(OSError, match="links"):
        read(home, tmp_path / "round")
