"""A secret in a file: read where it is ours alone, and refused in words that do not hold it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clauderon.paths import Home
from clauderon.proxy.secrets import in_file
from clauderon.proxy.secrets.in_file import BadSecret, file_text

CANARY = "sk-ant-test-not-a-real-key-0001"


def put(home: Home, data: bytes = CANARY.encode(), mode: int = 0o600) -> Path:
    path = home.secrets / "x"
    path.write_bytes(data)
    path.chmod(mode)
    return path


def refusal(home: Home) -> str:
    with pytest.raises(BadSecret) as caught:
        file_text(home, "x")
    assert CANARY not in repr(caught.value)
    return str(caught.value)


def test_a_file_of_ones_own_is_read(home: Home) -> None:
    put(home)
    assert file_text(home, "x") == CANARY


def test_no_file_is_no_secret_and_no_error(home: Home) -> None:
    assert file_text(home, "x") is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o620, 0o601])
def test_a_file_others_can_read_is_refused_with_a_word(home: Home, mode: int) -> None:
    put(home, mode=mode)
    said = refusal(home)
    assert f"mode {mode:04o}" in said and "chmod 600" in said


def test_a_file_of_another_user_is_refused(home: Home) -> None:
    if os.getuid() != 0:
        pytest.skip("needs root to give a file away")
    os.chown(put(home), 65534, 65534)
    assert "another user" in refusal(home)


def test_a_pipe_is_refused_and_not_waited_for(home: Home) -> None:
    """Seen to wait for ever without O_NONBLOCK."""
    os.mkfifo(home.secrets / "x", 0o600)
    assert "not a file" in refusal(home)


def test_a_directory_is_refused(home: Home) -> None:
    (home.secrets / "x").mkdir(mode=0o700)
    assert "not a file" in refusal(home)


def test_a_link_is_followed_and_one_that_leads_nowhere_is_said(home: Home, tmp_path: Path) -> None:
    """A password manager's mount may be linked here; the file it leads to is looked at like any other."""
    (home.secrets / "x").symlink_to(tmp_path / "elsewhere")
    assert "does not exist" in refusal(home)
    (tmp_path / "elsewhere").write_text(CANARY)
    (tmp_path / "elsewhere").chmod(0o600)
    assert file_text(home, "x") == CANARY
    (tmp_path / "elsewhere").chmod(0o644)
    assert "others may read it" in refusal(home)


def test_a_file_that_is_no_text_is_refused(home: Home) -> None:
    put(home, b"\xff\xfe")
    assert refusal(home) == "it is not text"


def test_of_a_large_file_no_more_is_read_than_shows_that_it_is_too_large(home: Home) -> None:
    put(home, b"a" * (in_file.MAX_SECRET_BYTES + 100_000))
    assert len(file_text(home, "x") or "") == in_file.MAX_SECRET_BYTES + 3
