"""A rule on requests is read from its text and from its table, and lists of rules are joined into the narrower."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon import netrules
from clauderon.netrules import NetRule

GOOD = {
    "allow api.test": NetRule("allow", "api.test"),
    "deny *": NetRule("deny", "*"),
    "allow GET,HEAD API.test. /v1/** /x": NetRule("allow", "api.test", ("GET", "HEAD"), ("/v1/**", "/x")),
    "deny DELETE *.api.test:8443": NetRule("deny", "*.api.test:8443", ("DELETE",)),
    "allow POST api.test / credential=github": NetRule("allow", "api.test", ("POST",), ("/",), "github"),
    "allow GET [::1]:8443 /a/*/b*": NetRule("allow", "[::1]:8443", ("GET",), ("/a/*/b*",)),
}
BAD = [
    "", "allow", "api.test", "permit api.test", "allow GET", "allow GET api.test v1", "allow api.test /a?b", "allow api.test /a/../b",
    "allow api.test /a//b", "allow api.test /a%20b", "allow api.test /a**", "allow api.test /**b/c", "allow 127.1 /a", "allow api.test /a b",
    "allow api.test credential=", "allow api.test credential=A", "allow get api.test", "allow api.test credential=a /b", "allow api.test /./a",
    "allow api.test /a\\b", "allow GET,,PUT api.test", "allow api.test #",
]  # fmt: skip


@pytest.mark.parametrize("text", GOOD)
def test_a_rule_is_read_and_written(text: str) -> None:
    rule = netrules.parse(text)
    assert rule == GOOD[text]
    assert netrules.parse(rule.text()) == rule


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_rule_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        netrules.parse(text)


def test_a_table_is_the_same_rule() -> None:
    table = {
        "action": "allow",
        "host": "api.test",
        "methods": ["GET"],
        "paths": ["/v1/**"],
        "credential": "github",
    }
    assert netrules.of_table(table).text() == "allow GET api.test /v1/** credential=github"
    bad: list[Any] = [
        1, {}, {"host": "a"}, {"action": "allow"}, {**table, "path": "/"}, {**table, "action": "no"}, {**table, "methods": "GET"},
        {**table, "methods": [1]}, {**table, "paths": ["x"]}, {**table, "credential": 1}, {**table, "host": ["a"]}, {**table, "methods": ["get"]},
    ]  # fmt: skip
    for each in bad:
        with pytest.raises(ValueError, match=r"\w"):
            netrules.of_table(each)


RULE = st.sampled_from(["allow a", "deny b", "deny *"])
RULES = st.lists(st.lists(RULE, max_size=2).map(tuple), min_size=1, max_size=3).map(netrules.joined)


@given(one=RULES, other=RULES)
def test_joining_keeps_every_list_once(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    both = netrules.narrower(one, other)
    assert set(netrules.groups(both)) == set(netrules.groups(one)) | set(netrules.groups(other))
    assert netrules.narrower(both, one) == both
    assert netrules.narrower(one, one) == one
