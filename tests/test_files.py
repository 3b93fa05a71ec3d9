"""A file is read at once, whole and only if it is one: nothing that stands in its place holds the reader up."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from clauderon import files


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


@pytest.mark.parametrize(
    ("make", "number"),
    [
        (os.mkfifo, errno.EINVAL),
        (_socket, errno.EINVAL),
        (Path.mkdir, errno.EISDIR),
        (lambda path: path.symlink_to("nowhere"), errno.EINVAL),
        (lambda path: path.symlink_to(path.name), errno.ELOOP),
        (lambda path: path.symlink_to("/dev/zero"), errno.EINVAL),
        (lambda path: path.symlink_to("/dev/tty"), None),
        (lambda path: None, errno.ENOENT),
    ],
    ids=["pipe", "socket", "directory", "dangling", "loop", "endless", "terminal", "missing"],
)  # fmt: skip
def test_what_is_no_file_is_refused_at_once(
    tmp_path: Path, make: Callable[[Path], object], number: int | None
) -> None:
    path = tmp_path / "there"
    make(path)
    failed: list[OSError] = []

    def read() -> None:
        try:
            files.read(path)
        except OSError as error:
            failed.append(error)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(10)
    assert failed, "the reader still waits"
    assert number is None or failed[0].errno == number
    assert failed[0].filename in (str(path), None)


def test_a_file_larger_than_expected_is_refused_and_not_cut(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"x" * 11)
    assert files.read(path, most=11) == b"x" * 11
    with pytest.raises(OSError, match="more than 10 bytes"):
        files.read(path, most=10)


def test_a_link_to_a_file_is_followed_and_a_byte_order_mark_left_out(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"\xef\xbb\xbfa = 1\n")
    (tmp_path / "link").symlink_to("real")
    assert files.text(tmp_path / "link") == "a = 1\n"


@pytest.mark.parametrize("by_descriptor", [False, True])
def test_a_draft_that_a_killed_process_left_is_removed_by_the_next(
    tmp_path: Path, by_descriptor: bool
) -> None:
    """Seen to fail when each process removed its own drafts only; found by `scripts/crash` (`refresh`)."""
    place = tmp_path / "place"
    place.mkdir()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    others = (
        ".mode.1",
        ".mode.0",
        ".mode.x",
        ".mode.",
        ".mode.99999999999",
        f".launch.{dead.pid}",
        f"mode.{dead.pid}",
    )
    for name in (*others, f".mode.{dead.pid}", f".mode.{os.getpid()}"):
        (place / name).touch()
    directory = os.open(place, os.O_RDONLY)
    try:
        draft = files.draft_name(directory if by_descriptor else place, "mode")
    finally:
        os.close(directory)
    assert draft == f".mode.{os.getpid()}"
    assert sorted(path.name for path in place.iterdir()) == sorted(others)


def test_a_draft_in_a_directory_that_is_not_there_has_a_name_all_the_same(tmp_path: Path) -> None:
    assert files.draft_name(tmp_path / "none", "mode").startswith(".mode.")


def test_a_scratch_directory_that_a_killed_process_left_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to fail with `tempfile` alone; found by `scripts/crash` (`image build`)."""
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    kept = [f".clauderon-image-{os.getpid()}-abc", ".clauderon-image-x-abc", f"image-{dead.pid}-abc",
            f".clauderon-{dead.pid}"]  # fmt: skip
    gone = [f".clauderon-image-{dead.pid}-abc", f".clauderon-dry-run-{dead.pid}-a_c"]
    for name in (*kept, *gone):
        (place / name / "inside").mkdir(parents=True)
    outside = tmp_path / "outside"
    outside.mkdir()
    link = place / f".clauderon-link-{dead.pid}-abc"
    link.symlink_to(outside)
    with files.scratch("image") as made:
        assert Path(made).parent == place
        left = {path.name for path in place.iterdir()} - {Path(made).name}
        assert left == {*kept, gone[1], link.name}, "only those of the same kind"
    files.sweep_scratch(files.temporary())
    assert {path.name for path in place.iterdir()} == {*kept, link.name} and outside.is_dir()
