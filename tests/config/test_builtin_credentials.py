"""The credentials that come with clauderon: each can work, and none can be mistaken for another or for a secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.config.builtin_credentials import BUILTIN_CREDENTIALS, LENT, share_scope
from clauderon.known import table
from clauderon.proxy.secrets.credentials import parse_secret
from tests.config.loading import load

_SCOPE = ("scope", "repositories", "fetch")
_KEYS = st.sampled_from((*_SCOPE, "env", "file", "hosts"))
_TABLES = st.dictionaries(_KEYS, st.integers(), max_size=4)


@pytest.mark.parametrize("name", LENT)
def test_each_has_hosts_a_source_and_a_place_for_the_secret(name: str) -> None:
    credential = LENT[name].credential
    assert credential.name == name and credential is BUILTIN_CREDENTIALS[name]
    assert credential.hosts
    assert credential.env or credential.command or credential.file or credential.login
    assert ("{basic}" in credential.format) == bool(credential.basic_user)
    assert all(host == host.lower() and "/" not in host for host in credential.hosts)


@pytest.mark.parametrize("name", [name for name, lent in LENT.items() if lent.variables])
def test_what_the_container_finds_in_its_place_is_a_header_value_that_says_what_it_is(name: str) -> None:
    placeholder = LENT[name].placeholder
    assert parse_secret(placeholder).reveal() == placeholder
    assert "clauderon" in placeholder.lower()


def test_githubs_two_are_one_token() -> None:
    """One is for the API, the other for git: same sources, same reach, and no host of both."""
    api, git = BUILTIN_CREDENTIALS["github"], BUILTIN_CREDENTIALS["github-git"]
    assert (api.env, api.file, api.login, api.scope) == (git.env, git.file, git.login, git.scope)
    assert not set(api.hosts) & set(git.hosts)
    assert (api.serves_git, git.serves_git) == (False, True)


def test_every_agents_own_are_among_them() -> None:
    assert set(table.LENT) < set(LENT)


@given(_TABLES, _TABLES)
def test_what_is_said_of_githubs_scope_holds_for_its_git_unless_that_says_another(
    api: dict[str, Any], git: dict[str, Any]
) -> None:
    values = {"credentials.github": dict(api), "credentials.github-git": dict(git)}
    share_scope(values)
    assert values["credentials.github"] == api
    shared = {key: value for key, value in api.items() if key in _SCOPE}
    assert values["credentials.github-git"] == {**shared, **git}


def test_nothing_said_is_nothing_shared() -> None:
    values: dict[str, dict[str, Any]] = {"credentials.github": {"file": "x"}}
    share_scope(values)
    assert values == {"credentials.github": {"file": "x"}}


def test_a_file_that_names_the_one_reaches_the_other(tmp_path: Path) -> None:
    found = load(tmp_path, "[credentials.github]\nscope = 'any'\n").credentials
    assert (found["github"].scope, found["github-git"].scope) == ("any", "any")
