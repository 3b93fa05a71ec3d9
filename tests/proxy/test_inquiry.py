"""What the proxy would do, by tables: as the judge decides, in words for a person, and without a secret."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.config import defaults
from clauderon.config.schema import Config, Credential, Network, Proxy
from clauderon.proxy.inquiry import Inquiry
from tests.standins.sessions import a_row

MINE = Credential("mine", hosts=("mine.test",), env=("X",))


def config(**network: Any) -> Config:
    usual = defaults()
    return usual._replace(
        network=Network(**network),
        proxy=Proxy(passthrough=("far.test",)),
        credentials={**usual.credentials, "mine": MINE},
    )


def ask(
    method: str, url: str, *, supplied: tuple[str, ...] = (), mode: str = "read-write", **network: Any
) -> tuple[str, str, str | None]:
    """The verdict, the rule and the credential."""
    row = a_row().changed(access_mode=mode)
    found = Inquiry(row, config(**network), supplied).ask(method, url)
    return found.verdict, found.rule, found.credential


@pytest.mark.parametrize(
    "url", ["", "mine.test", "ftp://mine.test/", "https://", "https:///x", "https://?x", "//mine.test/"]
)
def test_what_is_no_url_is_said_to_be_none(url: str) -> None:
    with pytest.raises(ValueError, match="https://HOST/PATH"):
        ask("GET", url)


@pytest.mark.parametrize(
    ("method", "url", "supplied", "answer"),
    [
        ("GET", "https://other.test", (), ("allowed", "open", None)),
        ("GET", "http://other.test/x?y", (), ("allowed", "open", None)),
        ("GET", "HTTPS://Mine.Test/", ("mine",), ("allowed", "open", "mine")),
        ("GET", "https://mine.test:443/", ("mine",), ("allowed", "open", "mine")),
        ("GET", "https://mine.test/", (), ("allowed", "open", None)),
        # Neither over plain HTTP nor on another port.
        ("GET", "http://mine.test/", ("mine",), ("allowed", "open", None)),
        ("GET", "https://mine.test:8443/", ("mine",), ("allowed", "open", None)),
        ("POST", "https://far.test/", (), ("not looked into", "open, passthrough", None)),
        ("GET", "https://169.254.169.254/", (), ("refused", "address-guard", None)),
        ("GET", "https://a..b/", (), ("refused", "host", None)),
        ("GET", "https://other.test/\n", (), ("refused", "http", None)),
    ],
)
def test_the_answer_is_the_judges(
    method: str, url: str, supplied: tuple[str, ...], answer: tuple[str, str, str | None]
) -> None:
    assert ask(method, url, supplied=supplied) == answer


def test_a_push_depends_on_what_its_body_asks_for() -> None:
    """With the credential lent for the session's own repositories, only the gate can tell."""
    row = a_row().changed(access_mode="read-write", remotes=("github.com/octo/app",))
    found = Inquiry(row, defaults(), ("github-git",))
    answer = found.ask("POST", "https://github.com/octo/app.git/git-receive-pack")
    assert (answer.verdict, answer.credential, answer.why) == ("depends", "github-git", "on its body")
    assert found.ask("POST", "https://github.com/octo/other.git/git-receive-pack").verdict == "refused"


@pytest.mark.parametrize(
    ("mode", "method", "verdict"),
    [("read-write", "POST", "allowed"), ("read-only", "POST", "refused"), ("read-only", "GET", "allowed")],
)
def test_a_read_only_session_is_answered_as_one(mode: str, method: str, verdict: str) -> None:
    assert ask(method, "https://mine.test/x", mode=mode, supplied=("mine",))[0] == verdict


def test_a_refusal_says_what_to_ask_for_instead_and_what_to_type() -> None:
    answer = Inquiry(a_row(), config(allow=("other.test",)), ()).ask("GET", "https://mine.test/")
    assert (answer.verdict, answer.rule) == ("refused", "not allowed")
    assert "mine.test" in answer.why and answer.hint


def test_another_list_can_be_asked_about_than_the_sessions() -> None:
    found = Inquiry(a_row(), config(deny=("mine.test",)), (), allow=("mine.test",))
    assert found.ask("GET", "https://mine.test/").verdict == "allowed"
    assert found.ask("GET", "https://other.test/").verdict == "refused"


@pytest.mark.parametrize(
    ("path", "refused"), [("/a", False), ("/b", True), (None, False), ("/a\r\nX: y", True)]
)
def test_of_a_request_that_was_made_the_lists_and_rules_alone_are_asked(
    path: str | None, refused: bool
) -> None:
    rules = ("allow GET mine.test /a", "deny mine.test")
    found = Inquiry(a_row(), config(), (), allow=("mine.test",), rules=rules)
    assert (found.refusal("mine.test", 443, "GET", path, "") is not None) is refused


@given(
    url=st.text(max_size=60) | st.from_regex(r"https?://[!-~]{0,40}", fullmatch=True),
    method=st.sampled_from(["GET", "POST", "PUT"]),
)
def test_any_url_has_an_answer_or_is_none_and_no_answer_has_the_secrets_stand_in(
    url: str, method: str
) -> None:
    try:
        answer = Inquiry(a_row(), config(), ("mine", "github")).ask(method, url)
    except ValueError:
        return
    assert answer.verdict in ("allowed", "refused", "depends", "not looked into")
    assert "x" * 32 not in repr(answer) or "x" * 32 in url
