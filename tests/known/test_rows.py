"""An agent and a credential as tables: what follows from the keys that are set."""

from __future__ import annotations

import pytest

from clauderon.choices import LendingScope
from clauderon.known.rows import Credential


@pytest.mark.parametrize(
    ("scope", "repositories", "narrow"),
    [
        (None, (), False),
        (None, ("octo/app",), True),
        ("session", (), True),
        ("session", ("octo/app",), True),
        ("any", (), False),
        ("any", ("octo/app",), False),
    ],
)
def test_a_credential_is_lent_for_repositories_where_that_is_said_or_some_are_named(
    scope: LendingScope | None, repositories: tuple[str, ...], narrow: bool
) -> None:
    assert Credential("x", scope=scope, repositories=repositories).is_scoped is narrow


@pytest.mark.parametrize(
    ("git", "format", "serves"),
    [
        (None, "Bearer {secret}", False),
        (None, "Basic {basic}", True),
        (True, "Bearer {secret}", True),
        (False, "Basic {basic}", False),
    ],
)
def test_a_host_serves_git_where_that_is_said_or_where_it_takes_basic(
    git: bool | None, format: str, serves: bool
) -> None:
    assert Credential("x", git=git, format=format, basic_user="u").serves_git is serves


def test_a_credential_of_no_keys_goes_nowhere_and_comes_from_nowhere() -> None:
    """So a key that was forgotten is missed by `config`, and lends nothing."""
    bare = Credential("x")
    assert (bare.hosts, bare.env, bare.command, bare.file, bare.login) == ((), (), (), "", "")
    assert (bare.websocket, bare.model_api, bare.mutations) == (False, False, ())
