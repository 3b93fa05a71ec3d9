"""Which lock files `reconcile` may remove."""

from __future__ import annotations

from clauderon.session import reconcile


def test_the_locks_that_pass_are_told_from_those_that_stay() -> None:
    """Seen to fail with a pattern for every lock."""
    for name in ("checkout-0123456789ab.lock", "network-clauderon.lock", "network-clauderon-x-internal.lock"):
        assert reconcile._PASSING_LOCK.fullmatch(name), name
    for name in ("proxy.lock", "proxy-ca.lock", "caches.lock", "0123456789ab.lock", "checkout-x.lock"):
        assert not reconcile._PASSING_LOCK.fullmatch(name), name
