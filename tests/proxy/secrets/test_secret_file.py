"""Files of `secrets/` as we write them: whole or not at all, for one person, and never through somebody's link."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from clauderon.paths import Home
from clauderon.proxy.secrets import in_file, secret_file

VALUE = "sk-test-not-a-real-key-0001"


def test_what_is_written_is_read_again_and_belongs_to_its_owner_alone(home: Home) -> None:
    home.secrets.chmod(0o755)
    before = os.umask(0)
    try:
        secret_file.write(home, "own", VALUE)
    finally:
        os.umask(before)
    assert in_file.file_text(home, "own") == f"{VALUE}\n"
    assert stat.S_IMODE((home.secrets / "own").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.secrets.stat().st_mode) == 0o700
    assert [entry.name for entry in home.secrets.iterdir()] == ["own"]


@pytest.mark.parametrize("kind", ["link", "dangling", "pipe", "directory", "socket"])
def test_what_is_no_file_is_refused_and_left_as_it_is(home: Home, tmp_path: Path, kind: str) -> None:
    """Seen to fail without the look before: the link was replaced, and what it led to stayed."""
    path, elsewhere = home.secrets / "own", tmp_path / "elsewhere"
    if kind == "link":
        elsewhere.write_text("theirs")
        path.symlink_to(elsewhere)
    elif kind == "dangling":
        path.symlink_to(elsewhere)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        import socket

        with socket.socket(socket.AF_UNIX) as made:
            os.chdir(home.secrets)
            made.bind("own")
    before = path.lstat()
    with pytest.raises(OSError, match="remove it first"):
        secret_file.write(home, "own", VALUE)
    assert path.lstat().st_ino == before.st_ino
    assert kind != "link" or elsewhere.read_text() == "theirs"


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_a_full_disk_leaves_the_former_secret_and_no_draft(
    home: Home, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Seen to fail with a file that is opened to be written in its place: it was empty."""
    secret_file.write(home, "own", "former")

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if step == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    elif step == "replace":
        monkeypatch.setattr(Path, "replace", full)
    else:
        limit = Path("/dev/full")
        real = os.open
        monkeypatch.setattr(
            os, "open", lambda p, f, *m: real(limit, os.O_WRONLY) if f & os.O_EXCL else real(p, f, *m)
        )
    with pytest.raises(OSError, match="No space left"):
        secret_file.write(home, "own", VALUE)
    monkeypatch.undo()
    assert in_file.file_text(home, "own") == "former\n"
    assert [entry.name for entry in home.secrets.iterdir()] == ["own"]


def test_remove_says_whether_there_was_one(home: Home) -> None:
    secret_file.write(home, "own", VALUE)
    assert secret_file.remove(home, "own") and not secret_file.remove(home, "own")
