"""Which repository a URL or a path names: one form for all its spellings, and none that a server may read otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.proxy.policy.repositories import of_path, of_url


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("https://github.com/octo/repo", "github.com/octo/repo"),
        ("https://github.com/octo/repo.git", "github.com/octo/repo"),
        ("https://GitHub.com/Octo/Repo.git/", "github.com/octo/repo"),
        ("https://user:secret@github.com/octo/repo", "github.com/octo/repo"),
        ("git@github.com:octo/repo.git", "github.com/octo/repo"),
        ("ssh://git@github.com:22/octo/repo.git", "github.com/octo/repo"),
        ("git+ssh://git@github.com/octo/repo", "github.com/octo/repo"),
        ("https://git.test:8443/Octo/Repo", "git.test:8443/Octo/Repo"),
        ("https://git.test/a/b/c.git", "git.test/a/b/c"),
        ("https://git.test/a%2Db/c", "git.test/a-b/c"),
        ("/srv/repo.git", ""),
        ("../repo", ""),
        ("file:///srv/repo.git", ""),
        ("http://git.test/a/b", ""),
        ("https://git.test/", ""),
        ("https://git.test/a/../b", ""),
        ("https://git.test/a/%2e%2e/b", ""),
        ("https://git.test/a//b", ""),
        ("https://git.test/a/b?x", ""),
        ("https://git.test/a/b#x", ""),
        ("https://git.test/.git", ""),
        ("https://münchen.test/a/b", ""),
    ],
)
def test_a_url_names_one_repository_or_none(url: str, named: str) -> None:
    assert of_url(url) == named


@given(st.text(max_size=20))
def test_no_path_leads_out_of_its_name(path: str) -> None:
    named = of_path("git.test", 443, path)
    parts = named.split("/")[1:]
    assert not {"", ".", ".."} & set(parts)
    assert all(character.isascii() and character not in "?#%\\" for character in named)
