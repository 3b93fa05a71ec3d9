"""Lock files go with their last holder, and never under the feet of the next one."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from clauderon import filelock
from clauderon.errors import Conflict


def test_one_holder_at_a_time_though_each_removes_the_file(tmp_path: Path) -> None:
    """What was locked may have been removed meanwhile: then it is not the file that the next one locks."""
    path = tmp_path / "a.lock"
    inside, most, entered = [0], [0], [0]
    guard = threading.Lock()

    def take() -> None:
        for _ in range(200):
            with filelock.held(path, Conflict("a", "held"), 30.0, passing=True):
                with guard:
                    inside[0] += 1
                    entered[0] += 1
                    most[0] = max(most[0], inside[0])
                with guard:
                    inside[0] -= 1

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert entered[0] == 800
    assert most[0] == 1
    assert not path.exists()


def test_what_is_swept_is_what_nobody_holds(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with filelock.held(path, Conflict("a", "held"), 1.0):
        filelock.sweep(path)
        assert path.exists()
    filelock.sweep(path)
    assert not path.exists()


def test_one_that_does_not_get_free_is_said_by_the_callers_error(tmp_path: Path) -> None:
    with filelock.held(tmp_path / "a.lock", Conflict("a", "held"), 0.0):
        assert filelock.is_held(tmp_path / "a.lock")
        with (
            pytest.raises(Conflict, match="other"),
            filelock.held(tmp_path / "a.lock", Conflict("a", "other"), 0.0),
        ):
            raise AssertionError("two hold it")
    assert not filelock.is_held(tmp_path / "a.lock")


def test_a_lock_that_was_never_made_is_not_held(tmp_path: Path) -> None:
    assert not filelock.is_held(tmp_path / "none.lock")


def test_sharing_keeps_out_the_one_who_wants_it_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with path.open("w") as first, path.open() as second, path.open() as third:
        assert filelock.shared(first.fileno())
        assert filelock.shared(second.fileno())
        assert not filelock.exclusive(third.fileno())
        filelock.release(first.fileno())
        filelock.release(second.fileno())
        assert filelock.exclusive(third.fileno())
