"""Lock files go with their last holder, and never under the feet of the next one."""

from __future__ import annotations

import threading
from pathlib import Path

from clauderon.errors import Conflict
from clauderon.session import context, reconcile


def test_one_holder_at_a_time_though_each_removes_the_file(tmp_path: Path) -> None:
    """What was locked may have been removed meanwhile: then it is not the file that the next one locks."""
    path = tmp_path / "a.lock"
    inside, most, entered = [0], [0], [0]
    guard = threading.Lock()

    def take() -> None:
        for _ in range(200):
            with context._held(path, Conflict("a", "held"), 30.0, passing=True):
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
    with context._held(path, Conflict("a", "held"), 1.0):
        context.sweep(path)
        assert path.exists()
    context.sweep(path)
    assert not path.exists()


def test_the_locks_that_pass_are_told_from_those_that_stay() -> None:
    for name in ("checkout-0123456789ab.lock", "network-clauderon.lock", "network-clauderon-x-internal.lock"):
        assert reconcile._PASSING_LOCK.fullmatch(name), name
    for name in ("proxy.lock", "proxy-ca.lock", "caches.lock", "0123456789ab.lock", "checkout-x.lock"):
        assert not reconcile._PASSING_LOCK.fullmatch(name), name
