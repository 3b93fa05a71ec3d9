"""A grant does not show its secret, and knows whether one may come back."""

from __future__ import annotations

import dataclasses

import pytest

from clauderon.proxy.http.needles import Needles
from clauderon.proxy.policy.grant import Grant

SECRET = "sk-ant-test-not-a-real-key-0001"


@pytest.mark.parametrize(
    ("grant", "may"),
    [
        (Grant("a", b"x-api-key", None), False),
        (Grant("a", b"x-api-key", SECRET.encode()), True),
        (Grant("a", b"x-api-key", None, Needles(SECRET)), True),
        (Grant("a", b"x-api-key", None, elsewhere=True), False),
    ],
)
def test_a_secret_comes_back_only_where_one_was_sent(grant: Grant, may: bool) -> None:
    assert grant.may_come_back is may


def test_printing_one_shows_no_secret() -> None:
    grant = Grant("a", b"x-api-key", SECRET.encode(), Needles(SECRET), hint="set A")
    assert SECRET not in repr(grant) + str(dataclasses.replace(grant, name="b"))


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/v1/oauth/token?x", True),
        ("//v1/./oauth/%74oken/", True),
        ("/v1/oauth/%2574oken", True),
        ("/v1/oauth/x/../token", True),
        ("/v1/oauth/token;x", True),
        ("/v1\\oauth\\token", True),
        ("https://issuer.test/v1/oauth/token", True),
        ("/v1/oauth/tokens", False),
        ("/v1/oauth", False),
        ("/x?/v1/oauth/token", False),
    ],
)
def test_a_question_to_the_issuer_is_known_in_every_spelling(target: str, expected: bool) -> None:
    """Seen to fail for the URL, `..` and two layers: such a question travelled."""
    assert Grant("a", b"x", None, asking=(b"/v1/oauth/token",)).is_asking(target.encode()) is expected
