"""`network`: what would happen is what the judge says, and what is changed applies to a session that runs."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from clauderon.config import load
from clauderon.errors import Conflict, UsageError
from clauderon.paths import Home
from clauderon.record import Session
from clauderon.session import network
from clauderon.session.context import Context
from clauderon.store import Store
from tests.standins.sessions import a_session

ID = "0123456789ab"
CONFIG = """\
# The lists.
[network]
allow = ["api.github.com", "*.test"]  # what we know
deny = [
    "bad.test",  # it was
]

[[network.rules]]
action = "deny"
host = "api.test"
methods = ["DELETE"]
paths = ["/v1/**"]
"""


@pytest.fixture
def context(home: Home, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("clauderon.proxy.service.reload", lambda *_args: None)
    home.config.write_text(CONFIG)
    row = a_session(home, "one", ID)
    with Store.open(home) as store:
        store.update(row.id, remotes=("github.com/owner/repo",))
        secret = home.secrets / "github_token"
        secret.parent.mkdir(exist_ok=True)
        secret.write_text("not-a-real-token")
        secret.chmod(0o600)
        yield SimpleNamespace(home=home, store=store, config=load(home, {}), environ={}, docker=None)


def _said(context: Any, method: str, url: str) -> tuple[str, str, str | None]:
    answer = network.check(cast(Context, context), "one", method, url)
    return answer.verdict, answer.rule, answer.credential


@pytest.mark.parametrize(
    ("method", "url", "said"),
    [
        ("GET", "https://api.github.com/user", ("allowed", "allow api.github.com", "github")),
        (
            "POST",
            "https://api.github.com/repos/owner/repo/pulls",
            ("allowed", "allow api.github.com", "github"),
        ),
        (
            "PUT",
            "https://api.github.com/repos/owner/repo/pulls/1/merge",
            ("refused", "credential-scope", None),
        ),
        ("POST", "https://api.github.com/graphql", ("depends", "allow api.github.com", "github")),
        ("GET", "https://github.com/owner/repo", ("refused", "not allowed", None)),
        ("GET", "https://x.test/", ("allowed", "allow *.test", None)),
        ("GET", "https://bad.test/", ("refused", "deny bad.test", None)),
        ("GET", "http://x.test", ("allowed", "allow *.test", None)),
        ("DELETE", "https://api.test/v1/x", ("refused", "deny DELETE api.test /v1/**", None)),
        ("DELETE", "https://api.test/v2", ("allowed", "allow *.test", None)),
        ("DELETE", "https://api.test/v2/../v1", ("refused", "ambiguous", None)),
        ("GET", "https://127.1/", ("refused", "host", None)),
        ("GET", "https://x.test/a b", ("refused", "http", None)),
    ],
)
def test_what_would_happen_is_what_the_judge_says(
    context: Any, method: str, url: str, said: tuple[str, str, str | None]
) -> None:
    assert _said(context, method, url) == said


def test_what_is_no_url_is_a_usage_error(context: Any) -> None:
    for url in ("api.test", "ftp://api.test/", ""):
        with pytest.raises(UsageError, match="not a URL"):
            network.check(context, "one", "GET", url)


def _row(context: Any) -> Session:
    found = context.store.get("one")
    assert found is not None
    return cast(Session, found)


def test_a_host_is_opened_and_closed_while_the_session_runs(context: Any) -> None:
    assert network.allow(context, "one", "New.Example.com", save=False) == (_row(context), ())
    assert _row(context).allow == ("api.github.com", "*.test", "new.example.com")
    assert _said(context, "GET", "https://new.example.com/")[:2] == ("allowed", "allow new.example.com")
    network.deny(context, "one", "new.example.com", save=False)
    assert _said(context, "GET", "https://new.example.com/")[:2] == ("refused", "deny new.example.com")
    network.allow(context, "one", "new.example.com", save=False)
    assert _row(context).deny == ()
    assert context.home.config.read_text() == CONFIG


def test_the_files_deny_list_is_stronger_and_that_is_said(context: Any) -> None:
    with pytest.raises(Conflict, match="is stronger"):
        network.allow(context, "one", "bad.test", save=False)
    network.deny(context, "one", "*.example.com", save=False)
    notes = network.allow(context, "one", "a.example.com", save=False).notes
    assert len(notes) == 1 and "deny *.example.com" in notes[0]
    assert notes[0].endswith("clauderon network allow one '*.example.com'")
    network.allow(context, "one", "*.example.com", save=False)
    assert _said(context, "GET", "https://a.example.com/")[0] == "allowed"


def test_what_is_saved_keeps_the_files_comments(context: Any) -> None:
    network.allow(context, "one", "bad.test", save=True)
    network.allow(context, "one", "new.example.com", save=True)
    network.deny(context, "one", "evil.example.com", save=True)
    text = context.home.config.read_text()
    assert text.startswith("# The lists.\n") and "# what we know" in text
    saved = load(context.home, {})
    assert saved.network.allow == ("api.github.com", "*.test", "bad.test", "new.example.com")
    assert saved.network.deny == ("evil.example.com",)
    assert saved.network.rules == context.config.network.rules
    assert _row(context).allow is None  # the file's list goes on to apply


def test_without_a_list_everything_is_allowed_and_none_is_made(context: Any) -> None:
    context.home.config.write_text("")
    context.config = load(context.home, {})
    network.allow(context, "one", "a.test", save=True)
    assert load(context.home, {}).network.allow is None
    network.deny(context, "one", "a.test", save=True)
    assert load(context.home, {}).network.deny == ("a.test",)


@pytest.mark.parametrize("host", ["", "*", "a b", "https://a.test", "127.1", "-x", "a.test:0"])
def test_a_host_that_is_none_is_a_usage_error(context: Any, host: str) -> None:
    if host == "*":
        network.allow(context, "one", host, save=False)
        return
    with pytest.raises(UsageError):
        network.allow(context, "one", host, save=False)


def _audit(home: Home, *paths: str) -> None:
    lines = [
        {"kind": "request", "session": "one", "id": ID, "host": "api.test", "port": 443, "method": "GET", "path": path, "status": 200,
         "rule": "open", "credential": None, "refused": False}
        for path in paths
    ]  # fmt: skip
    home.audit.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_list_is_tried_on_the_audit_before_it_is_used(context: Any, tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="no request"):
        network.seen(context, "one")
    _audit(context.home, "/v1/a", "/v1/b", "/v2")
    session, found = network.seen(context, "one")
    lines, _ = network.suggest(found, paths=True)
    text = "\n".join(line.text for line in lines)
    assert text == "allow GET api.test /v1/**\nallow GET api.test /v2\ndeny *"
    assert network.would_refuse(context, session, found, text) == []
    refused = network.would_refuse(context, session, found, "allow GET api.test /v1/*\nb.test")
    assert [(one.request, one.times, one.rule) for one in refused] == [
        ("GET api.test:443/v2", 1, "not allowed")
    ]
    with pytest.raises(UsageError):
        network.would_refuse(context, session, found, "allow api.test v1")


def test_a_rule_that_names_no_credential_of_ours_is_an_error(home: Home) -> None:
    """Seen to fail without the check: such a rule was about nothing."""
    home.config.write_text('[[network.rules]]\naction = "deny"\nhost = "*"\ncredential = "githib"\n')
    with pytest.raises(UsageError, match="github"):
        load(home, {})
