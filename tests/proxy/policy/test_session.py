"""What the proxy knows of a session: its own list or the configuration's, and both of what is denied."""

from __future__ import annotations

from typing import Any

import pytest

from clauderon.config.schema import Git, Network
from clauderon.proxy.policy.session import of_session
from clauderon.record import Session
from tests.test_record import FIRST


@pytest.mark.parametrize(
    ("own", "configured", "allow", "is_own"),
    [
        (None, None, None, False),
        (None, ("a.test",), ("a.test",), False),
        (None, (), (), False),
        ((), ("a.test",), (), True),
        (("b.test",), ("a.test",), ("b.test",), True),
        (("b.test",), None, ("b.test",), True),
    ],
)
def test_the_sessions_list_is_stronger_and_an_empty_one_is_a_list(
    own: Any, configured: Any, allow: Any, is_own: bool
) -> None:
    policy = of_session(Session(**FIRST, allow=own), Network(allow=configured), Git(), hidden=False)
    assert (policy.allow, policy.own_allow) == (allow, is_own)


def test_what_either_denies_is_denied() -> None:
    policy = of_session(Session(**FIRST, deny=("a", "b")), Network(deny=("b", "c")), Git(), hidden=False)
    assert policy.deny == ("a", "b", "c")


@pytest.mark.parametrize(("mode", "known"), [("read-only", "read-only"), ("read-write", "read-write")])
def test_the_mode_is_the_sessions(mode: str, known: str) -> None:
    assert of_session(Session(**FIRST, access_mode=mode), Network(), Git(), hidden=False).access_mode == known


@pytest.mark.parametrize(("hidden", "source"), [(False, "172.30.0.7"), (True, None)])
def test_an_address_counts_unless_the_engine_hides_it(hidden: bool, source: str | None) -> None:
    assert of_session(Session(**FIRST, ip="172.30.0.7"), Network(), Git(), hidden=hidden).source == source


def test_an_address_that_is_not_known_lets_nobody_in() -> None:
    assert of_session(Session(**FIRST), Network(), Git(), hidden=False).source == ""


def test_what_was_given_aloud_is_said() -> None:
    assert of_session(Session(**FIRST, unsafe=("a mount",)), Network(), Git(), hidden=False).unsafe
    assert not of_session(Session(**FIRST), Network(), Git(), hidden=False).unsafe
