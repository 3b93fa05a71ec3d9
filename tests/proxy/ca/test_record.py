"""Which certificate a session was given: what changed since, and when it is renewed."""

from __future__ import annotations

import time

import pytest

from clauderon.errors import BackendError
from clauderon.paths import Home
from clauderon.proxy.ca import authority
from clauderon.proxy.ca import record as ca_record

DAY_S = 86_400


def test_renewal_comes_in_time_and_keeps_the_key(made: Home) -> None:
    first = authority.ensure(made)
    due = first.not_after - ca_record.RENEW_BEFORE_S
    assert authority.ensure(made, now=due - 1).fingerprint == first.fingerprint
    renewed = authority.ensure(made, now=due + 1)
    assert renewed.key == first.key
    assert renewed.not_after > first.not_after
    # Containers that hold the old certificate go on until it is about to expire.
    assert not renewed.outdated(first.fingerprint, due)
    assert renewed.outdated(first.fingerprint, first.not_after - DAY_S)


def test_a_lost_key_means_a_new_ca_and_every_container_needs_a_refresh(made: Home) -> None:
    first = authority.ensure(made)
    made.ca_key.unlink()
    second = authority.ensure(made)
    assert second.key != first.key
    assert second.outdated(first.fingerprint, time.time())
    assert not second.outdated(second.fingerprint, time.time())
    assert second.outdated("never seen", time.time())


def test_a_clock_before_the_ca_is_reported(made: Home) -> None:
    with pytest.raises(BackendError, match="clock"):
        authority.ensure(made, now=time.time() - 30 * DAY_S)
