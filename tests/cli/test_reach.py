"""What `create` is told of a session's reach: `learn`, and rules that make sense."""

from __future__ import annotations

import pytest

from clauderon import spec
from clauderon.cli import reach
from clauderon.errors import UsageError


def test_learn_is_the_proxied_network_with_every_host_allowed() -> None:
    assert reach.learning("learn", None) == ("proxied", ["*"])
    assert reach.learning("learn", ["a.test"]) == ("proxied", ["*", "a.test"])
    assert reach.learning("open", ["a.test"]) == ("open", ["a.test"])
    assert reach.learning(None, None) == (None, None)
    assert spec.hosts(["*"], what="--allow") == ("*",)


@pytest.mark.parametrize(("typed", "meant"), [("lern", "learn"), ("prox", "proxied"), ("Open", "open")])
def test_a_misspelt_network_is_answered_with_all_three(typed: str, meant: str) -> None:
    with pytest.raises(UsageError, match="use open, proxied or learn") as caught:
        reach.learning(typed, None)
    assert caught.value.hint == f"clauderon create --network {meant} ..."


def test_a_rule_is_kept_in_its_usual_form_and_a_bad_one_is_an_error() -> None:
    assert spec.rules(["allow  GET,POST API.test.  /v1/**"]) == ("allow GET,POST api.test /v1/**",)
    with pytest.raises(UsageError, match=r"--rule 'allow api.test v1'.*v1"):
        spec.rules(["allow api.test v1"])
