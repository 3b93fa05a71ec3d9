"""Work beside other work: waited for, and its error raised where it is waited for."""

from __future__ import annotations

import threading

import pytest

from clauderon.session.background import Background


def test_work_begins_at_once_and_is_waited_for() -> None:
    begun, go, done = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert go.wait(30)
        done.set()

    running = Background(work)
    assert begun.wait(30) and not done.is_set()
    go.set()
    running.result()
    assert done.is_set()


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt()])
def test_what_it_raised_is_raised_by_who_waits(error: BaseException) -> None:
    def work() -> None:
        raise error

    running = Background(work)
    for _ in range(2):
        with pytest.raises(type(error)) as caught:
            running.result()
        assert caught.value is error
