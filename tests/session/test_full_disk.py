"""A full disk is called that, and what did not fit leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from clauderon.paths import Home
from tests.standins.cli import Cli
from tests.standins.sessions import a_session

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
SIZE_BYTES = 1 << 20
INODES = 200


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Home]:
    """A home on a disk of one mebibyte, with a session in it."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE_BYTES},nr_inodes={INODES}", "small", str(place)],
        check=True,
    )
    try:
        home = Home(place / "home")
        home.create()
        home.config.write_text('[docker]\ncommand = "/bin/true"\n')
        a_session(home, "one", "0123456789ab")
        yield home
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def _fill(home: Home) -> Path:
    """Take all the room there is."""
    ballast = home.root / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
    return ballast


def test_a_disk_without_inodes_is_told_from_one_without_room(small: Home, cli: Cli) -> None:
    """`df -h` shows a lot of room there. Seen to fail where the two were the same."""
    for journal in small.root.glob("clauderon.db-*"):
        journal.unlink()
    for number in range(INODES):
        try:
            (small.root / str(number)).touch()
        except OSError:
            break
    answer = cli("list", env={"CLAUDERON_HOME": str(small.root)})
    assert (answer.status, answer.error.split("hint: ")[1]) == (4, f"df -i {small.root}\n")
    assert "it has no inodes left" in answer.error


@pytest.mark.parametrize("command", [("list",), ("list", "--json"), ("status", "one")])
def test_a_full_disk_is_called_that(small: Home, cli: Cli, command: tuple[str, ...]) -> None:
    """It was "disk I/O error", with the advice to ask the doctor."""
    for journal in small.root.glob("clauderon.db-*"):
        journal.unlink()  # they are made at every opening, which needs room
    ballast = _fill(small)
    answer = cli(*command, env={"CLAUDERON_HOME": str(small.root)})
    assert answer.status == 4, answer
    assert "the disk is full" in answer.text + answer.error
    assert "df -h" in answer.text + answer.error
    ballast.unlink()


def test_an_upload_that_does_not_fit_leaves_nothing(small: Home, cli: Cli, tmp_path: Path) -> None:
    """A truncated file stayed behind under the name of the whole one, and the first of two was kept in silence."""
    little, large = tmp_path / "little", tmp_path / "large"
    little.write_bytes(b"little")
    large.write_bytes(b"x" * (2 * SIZE_BYTES))
    environ = {"CLAUDERON_HOME": str(small.root)}
    answer = cli("upload", "one", str(little), str(large), env=environ)
    assert answer.status == 1, answer
    assert "no space left" in answer.error.lower()
    assert list(small.upload_dir("0123456789ab").iterdir()) == []
    assert cli("upload", "one", str(little), env=environ).status == 0
    assert [path.name for path in small.upload_dir("0123456789ab").iterdir()] == ["little"]


def test_a_name_that_is_taken_is_numbered(home: Home, cli: Cli, tmp_path: Path) -> None:
    a_session(home, "one", "0123456789ab")
    file = tmp_path / "a.txt"
    file.write_text("a")
    for _ in range(3):
        cli.ok("upload", "one", str(file))
    names = sorted(path.name for path in home.upload_dir("0123456789ab").iterdir())
    assert names == ["a-1.txt", "a-2.txt", "a.txt"]
