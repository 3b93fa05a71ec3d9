"""Claude Code's login: what is read of its file, what is sent to its issuer, and that nothing else of it changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clauderon import placeholders
from clauderon.proxy.logins.claude import CLAUDE
from clauderon.proxy.logins.client import Installed

OAUTH = {
    "accessToken": "sk-ant-oat01-test-not-a-real-token-0001",
    "refreshToken": "sk-ant-ort01-test-not-a-real-token-0001",
    "expiresAt": 1_700_000_000_000,
    "scopes": ["user:inference", "user:profile", "org:create_api_key"],
    "subscriptionType": "max",
}
FILE = {"claudeAiOauth": OAUTH, "mcpOAuth": {"kept": True}}


def oauth(**changes: Any) -> dict[str, Any]:
    return {**FILE, "claudeAiOauth": {**OAUTH, **changes}}


def test_the_login_in_the_file_is_read() -> None:
    login = CLAUDE.parse(FILE)
    assert login is not None
    assert (login.access, login.refresh) == (OAUTH["accessToken"], OAUTH["refreshToken"])
    assert login.expires_at == 1_700_000_000.0
    assert login.plan == {"subscriptionType": "max", "scopes": OAUTH["scopes"]}


@pytest.mark.parametrize(
    "content",
    [{}, {"claudeAiOauth": None}, {"claudeAiOauth": "x"}, oauth(accessToken=""), oauth(accessToken=7)],
)
def test_a_file_without_a_token_has_no_login(content: dict[str, Any]) -> None:
    assert CLAUDE.parse(content) is None


@pytest.mark.parametrize("scopes", [None, "user:profile", [1], [["user:x"]]])
def test_scopes_of_another_shape_are_left_out(scopes: object) -> None:
    login = CLAUDE.parse(oauth(scopes=scopes))
    assert login is not None and "scopes" not in login.plan
    assert "scope" not in json.loads(CLAUDE.asking(login, Installed({})).body)


def test_the_issuer_is_asked_for_the_scopes_of_a_person_alone() -> None:
    """One of an organisation is not renewed: the issuer refuses the whole request for it."""
    login = CLAUDE.parse(FILE)
    assert login is not None
    asking = CLAUDE.asking(login, Installed({}))
    assert (asking.host, asking.path) == ("platform.claude.com", "/v1/oauth/token")
    body = json.loads(asking.body)
    assert body["scope"] == "user:inference user:profile"
    assert (body["grant_type"], body["refresh_token"]) == ("refresh_token", OAUTH["refreshToken"])


def test_an_answer_replaces_the_tokens_and_nothing_else() -> None:
    answer = {"access_token": "new", "refresh_token": "newer", "expires_in": 60, "scope": "user:inference"}
    written = CLAUDE.renewed(FILE, answer, 1000.0)
    assert written == oauth(
        accessToken="new", refreshToken="newer", expiresAt=1_060_000, scopes=["user:inference"]
    )
    assert FILE["claudeAiOauth"] is OAUTH and OAUTH["subscriptionType"] == "max"


def test_an_answer_without_another_refresh_token_leaves_the_one_there_is() -> None:
    written = CLAUDE.renewed(FILE, {"access_token": "new"}, 1000.0)["claudeAiOauth"]
    assert (written["refreshToken"], written["expiresAt"]) == (
        OAUTH["refreshToken"],
        (1000 + 8 * 3600) * 1000,
    )


@pytest.mark.parametrize(
    "answer", [{}, {"access_token": ""}, {"access_token": None}, {"error": "invalid_grant"}]
)
def test_an_answer_without_a_token_changes_nothing(answer: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no access token"):
        CLAUDE.renewed(FILE, answer, 1000.0)


def test_each_directory_of_its_own_has_another_item_of_the_keychain() -> None:
    assert CLAUDE.keychain is not None
    items = {CLAUDE.keychain({"CLAUDE_CONFIG_DIR": value}) for value in ("", "/a", "/b", "/a/")}
    assert len(items) == 4
    assert CLAUDE.keychain({}) == "Claude Code-credentials" == CLAUDE.keychain({"CLAUDE_CONFIG_DIR": ""})


def test_its_own_locks_are_in_the_directory_and_beside_it_links_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / ".claude").symlink_to("real")
    assert CLAUDE.locks(tmp_path / ".claude/.credentials.json") == (
        tmp_path / "real/.oauth_refresh.lock",
        tmp_path / "real.lock",
    )


def test_its_own_call_inside_is_answered_with_placeholders_alone() -> None:
    login = CLAUDE.parse(FILE)
    assert login is not None
    answer = CLAUDE.answer(login.plan)
    assert answer["access_token"] == placeholders.CLAUDE_ACCESS
    assert not [
        value
        for value in OAUTH.values()
        if isinstance(value, str) and "token" in value and value in json.dumps(answer)
    ]
