"""One process at a time renews a login: ours by a kernel lock, a client's by a directory that it touches."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from clauderon.proxy.logins import locks
from clauderon.proxy.logins.locks import Busy, held


@pytest.fixture
def place(tmp_path: Path) -> tuple[Path, Path]:
    """The login's file, and its client's lock."""
    return tmp_path / "auth.json", tmp_path / ".lock"


def aged(path: Path, seconds: float) -> None:
    when = time.time() - seconds
    os.utime(path, (when, when))


def test_both_kinds_are_held_and_given_back(place: tuple[Path, Path]) -> None:
    login, theirs = place
    with held(login, (theirs,)):
        assert theirs.is_dir()
        with pytest.raises(Busy), held(login, (), wait_s=0.0):
            pass
    assert not theirs.exists()
    with held(login, (), wait_s=0.0):
        pass


def test_a_clients_lock_is_waited_for(place: tuple[Path, Path]) -> None:
    login, theirs = place
    theirs.mkdir()
    threading.Timer(0.1, theirs.rmdir).start()
    with held(login, (theirs,), wait_s=30.0):
        assert theirs.is_dir()


def test_a_client_that_goes_on_for_too_long_is_said_and_its_lock_stays(place: tuple[Path, Path]) -> None:
    login, theirs = place
    theirs.mkdir()
    with pytest.raises(Busy, match=str(theirs)), held(login, (theirs,), wait_s=0.0):
        pass
    assert theirs.is_dir()


@pytest.mark.parametrize("age", [61.0, -61.0])
def test_a_lock_that_nobody_touched_for_a_minute_or_that_is_from_the_future_is_nobodys(
    place: tuple[Path, Path], age: float
) -> None:
    login, theirs = place
    theirs.mkdir()
    aged(theirs, age)
    with held(login, (theirs,), wait_s=1.0):
        pass
    assert not theirs.exists()


def test_what_is_not_empty_is_not_taken_away(place: tuple[Path, Path]) -> None:
    """A directory of somebody's that only has the name."""
    login, theirs = place
    (theirs / "x").mkdir(parents=True)
    aged(theirs, 3600)
    with pytest.raises(Busy), held(login, (theirs,), wait_s=0.0):
        pass
    assert (theirs / "x").is_dir()


def test_the_lock_that_a_killed_holder_of_ours_left_is_taken_at_once(place: tuple[Path, Path]) -> None:
    """Seen to wait for its minute without the note of which directories were ours."""
    login, theirs = place
    with held(login, (theirs,)) as again:
        again()
        noted = (login.parent / "auth.json.clauderon-lock").read_text()
        status = theirs.stat()
    # As a kill leaves it: the same directory, with the same times, and the note.
    theirs.mkdir()
    os.utime(theirs, ns=(status.st_atime_ns, status.st_mtime_ns))
    (login.parent / "auth.json.clauderon-lock").write_text(
        noted.replace(str(status.st_ino), str(theirs.stat().st_ino))
    )
    with held(login, (theirs,), wait_s=0.0):
        pass


@pytest.mark.parametrize("noted", ["", "{", "[[]]", "null", '[["x"]]', "7"])
def test_no_note_makes_a_clients_own_lock_ours(place: tuple[Path, Path], noted: str) -> None:
    login, theirs = place
    theirs.mkdir()
    (login.parent / "auth.json.clauderon-lock").write_text(noted)
    with pytest.raises(Busy), held(login, (theirs,), wait_s=0.0):
        pass
    assert theirs.is_dir()


def test_saying_again_that_we_work_keeps_a_lock_fresh(place: tuple[Path, Path]) -> None:
    login, theirs = place
    with held(login, (theirs,)) as again:
        aged(theirs, locks.STALE_S + 1)
        again()
        assert time.time() - theirs.stat().st_mtime < locks.STALE_S
