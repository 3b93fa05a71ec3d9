"""Which repositories are a session's is read on the host when it is made, and nothing inside changes it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from clauderon.config import load
from clauderon.paths import Home
from clauderon.proxy.daemon import snapshot
from clauderon.record import Session
from clauderon.session import query, refresh, request
from clauderon.session.context import Context
from clauderon.store import Store

REMOTES = {
    "origin": "git@github.com:Owner/Repo.git",
    "upstream": "https://user:secret@github.com/upstream/repo",
    "mirror": "/srv/mirror.git",
}


@pytest.fixture
def session(home: Home, repo: Path) -> Session:
    def git(*argv: str) -> None:
        subprocess.run(["git", "-C", str(repo), *argv], check=True)

    for name, url in REMOTES.items():
        git("remote", "add", name, url)
    git("config", "remote.upstream.pushurl", "gh:me/fork")
    git("config", "url.https://github.com/.insteadOf", "gh:")
    with Store.open(home) as store:
        made = SimpleNamespace(
            home=home, store=store, config=load(home, {}), environ=dict(os.environ), docker=None
        )
        context = cast(Context, made)
        planned = request.plan(context, request.Request(repo=repo, name="one", untrusted_repo=True)).session
        return store.add(planned.changed(state="running"), range(3100, 3200))


def test_the_remotes_of_the_repository_are_the_sessions(session: Session) -> None:
    assert set(session.remotes) == {"github.com/owner/repo", "github.com/upstream/repo", "github.com/me/fork"}
    assert Session.from_json(session.to_json()).remotes == session.remotes


def _policy(home: Home, session: Session) -> Any:
    return snapshot.read(home, {}, {}).policies[session.id]


def test_a_remote_added_inside_is_not_the_sessions(home: Home, session: Session) -> None:
    """Seen to fail with the remotes read from the private repository, which the container writes."""
    before = _policy(home, session)
    worktree = home.worktree("one")
    for directory in (home.git_dir(session.id), home.session_dir(session.id), worktree, worktree / ".git"):
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "config").write_text('[remote "evil"]\n\turl = https://github.com/evil/repo\n')
    after = _policy(home, session)
    assert after == before
    assert set(after.remotes) == set(session.remotes)
    assert after.refs == ("refs/heads/clauderon/one",)


def test_more_refs_are_opened_for_sessions_that_are_there(home: Home, session: Session) -> None:
    home.config.write_text('[git]\npush = ["refs/heads/agents/*"]\n')
    assert _policy(home, session).refs == ("refs/heads/clauderon/one", "refs/heads/agents/*")


def test_a_record_without_remotes_is_as_earlier_versions_have_it(session: Session) -> None:
    earlier = session.changed(remotes=())
    assert '"remotes"' not in earlier.to_json()
    assert Session.from_json(earlier.to_json()) == earlier


def test_a_refresh_takes_the_remotes_that_the_repository_has_by_now(
    home: Home, repo: Path, session: Session
) -> None:
    """Also those of a session that an earlier version made, which kept none."""
    subprocess.run(["git", "-C", str(repo), "remote", "remove", "upstream"], check=True)
    subprocess.run(
        ["git", "-C", str(repo), "remote", "set-url", "origin", "https://git.test:8443/a/B.git"], check=True
    )
    warned: list[str] = []
    context = cast(
        Context, SimpleNamespace(environ=dict(os.environ), report=SimpleNamespace(warn=warned.append))
    )
    assert refresh._remotes(context, session) == ("git.test:8443/a/B",)
    assert refresh._remotes(context, session.changed(repo=str(home.root / "gone"))) == session.remotes
    assert len(warned) == 1 and "could not be read" in warned[0]


def test_the_status_says_how_far_forges_credentials_go(home: Home, session: Session) -> None:
    text = '[credentials.github]\nscope = "any"\n[credentials.work]\nhosts = ["git.test"]\nenv = "WORK"\nrepositories = ["a/b"]\n'
    home.config.write_text(text + '[git]\npush = ["refs/heads/agents/*"]\n')
    environ = {"WORK": "x", "GH_TOKEN": "x"}
    context = cast(Context, SimpleNamespace(config=load(home, {}), home=home, environ=environ))
    said = query._lent(context, session)
    assert said["credentials"] == ["github", "github-git", "work"]
    assert said["credential_scope"] == ["github: any", "github-git: any", "work: session"]
    assert said["push_to"] == [*session.remotes, "a/b"]
    assert said["push_refs"] == ["refs/heads/clauderon/one", "refs/heads/agents/*"]
    narrowed = query._lent(context, session.changed(no_credentials=("github",)))
    assert (narrowed["credentials"], narrowed["credential_scope"]) == (["work"], ["work: session"])
