"""Repositories, refs, mutations and rules, as config.toml may name them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clauderon.config import lending_checks as checks

Check = Callable[[object], tuple[str, ...]]


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (checks.repositories, "octo/repo"),
        (checks.repositories, "octo/repo.git"),
        (checks.repositories, "group/sub/repo"),
        (checks.push_refs, "refs/heads/agents/*"),
        (checks.push_refs, "refs/heads/main"),
        (checks.graphql_names, "addComment"),
        (checks.graphql_names, "_x2"),
    ],
)
def test_what_is_taken(check: Check, value: str) -> None:
    assert check([value]) == (value,)
    assert check([]) == ()


@pytest.mark.parametrize(
    ("check", "value"),
    [
        *((checks.repositories, name) for name in ("repo", "/repo", "octo/", "../repo", "octo/..", "a b/c", "https://x/y")),
        *((checks.push_refs, ref) for ref in ("main", "heads/x", "refs/heads/*/*", "refs/heads/../x", "refs//x", "refs/a b")),
        *((checks.graphql_names, name) for name in ("", "2x", "a-b", "a b")),
    ],
)  # fmt: skip
def test_what_is_refused(check: Check, value: str) -> None:
    with pytest.raises(ValueError):
        check([value])


@pytest.mark.parametrize("value", ["x", {"host": "x"}, 3, None])
def test_rules_are_tables(value: object) -> None:
    with pytest.raises(ValueError, match=r"network\.rules"):
        checks.network_rules(value)
