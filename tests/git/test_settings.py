"""What `git config --list -z` says, as facts; and no password among them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon import git
from clauderon.git.environment import environment, without_filters
from clauderon.git.settings import parse_settings, without_password
from tests.airlock.world import call


def read(path: Path, base: str | None = None, branch: str | None = None) -> git.Repository:
    return git.repository_read(path, dict(os.environ), base, branch=branch)


def test_remotes_are_rewritten_as_git_would(repo: Path) -> None:
    call("git", "remote", "add", "origin", "gh:o/r", cwd=repo)
    call("git", "remote", "add", "two", "https://example.test/x", cwd=repo)
    call("git", "config", "url.git@github.com:.insteadOf", "gh:", cwd=repo)
    call("git", "config", "url.ssh://other/.insteadOf", "g", cwd=repo)
    call("git", "config", "url.ssh://push/.pushInsteadOf", "https://example.test/", cwd=repo)
    remotes = {remote.name: remote for remote in read(repo).remotes}
    for name, remote in remotes.items():
        assert remote.url == call("git", "remote", "get-url", name, cwd=repo)
        assert remote.push_url == call("git", "remote", "get-url", "--push", name, cwd=repo)
        assert remote.fetch == (f"+refs/heads/*:refs/remotes/{name}/*",)


def test_filters_are_found_by_name_whatever_the_name(repo: Path) -> None:
    for key in ("filter.lfs.clean", "filter.a=b.smudge", "filter.with.dots.process", "filter.X Y.clean"):
        call("git", "config", key, "cat", cwd=repo)
    found = read(repo)
    assert found.filters == ("X Y", "a=b", "lfs", "with.dots")
    env = without_filters(environment(os.environ), found.filters)
    for name in found.filters:
        assert call("git", "config", f"filter.{name}.clean", cwd=repo, env=env) == ""
        assert call("git", "config", f"filter.{name}.required", cwd=repo, env=env) == "false"


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("https://user:token@example.test/r.git", "https://example.test/r.git"),
        ("https://token@example.test:8443/r", "https://example.test:8443/r"),
        ("https://example.test/a@b/r", "https://example.test/a@b/r"),
        ("https://a:b@c@example.test/r", "https://example.test/r"),
        ("HTTP://u:p@example.test", "HTTP://example.test"),
        ("ssh://git@example.test/r", "ssh://git@example.test/r"),
        ("ssh://git:pw@example.test:22/r", "ssh://git@example.test:22/r"),
        ("git@example.test:o/r.git", "git@example.test:o/r.git"),
        ("/srv/git/r@v1.git", "/srv/git/r@v1.git"),
        ("../r", "../r"),
        ("file:///srv/a:b@c/r", "file:///srv/a:b@c/r"),
    ],
)
def test_no_credential_in_a_url(url: str, plain: str) -> None:
    assert without_password(url) == plain


@given(
    st.text(min_size=1).filter(
        lambda secret: not set(secret) & set("/@:") and secret not in "https://example.test/r"
    )
)
def test_no_password_survives_in_any_url(secret: str) -> None:
    assert without_password(f"https://u:{secret}@example.test/r") == "https://example.test/r"


@given(st.binary())
def test_any_configuration_can_be_parsed(output: bytes) -> None:
    parse_settings(output)
