"""A file is read at once, whole and only if it is one: nothing that stands in its place holds the reader up."""

from __future__ import annotations

import errno
import os
import socket
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
