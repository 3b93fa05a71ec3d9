"""Codex's login: what is read of its file, until when its token is good, and that nothing else of it changes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clauderon.proxy.logins.client import Installed
from clauderon.proxy.logins.codex import CODEX, CODEX_KEY
from tests.proxy.logins.test_client import jwt

AUTH = {"https://api.openai.com/auth": {"chatgpt_account_id": "account-id", "chatgpt_plan_type": "pro"}}
# The issuer's clock is an hour ahead: it gave the token at 10:00 by this machine, to last for ten minutes.
WRITTEN, WRITTEN_S = "2026-01-02T10:00:00.123456Z", 1767348000.0
TOKENS = {
    "access_token": jwt({"iat": WRITTEN_S + 3600, "exp": WRITTEN_S + 4200}),
    "id_token": jwt(AUTH),
    "refresh_token": "test-not-a-real-token-0001",
    "account_id": "account",
}
FILE = {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": TOKENS, "last_refresh": WRITTEN, "other": 1}
KEY = {"auth_mode": "apikey", "OPENAI_API_KEY": "sk-test-not-a-real-key-0001"}


def tokens(**changes: Any) -> dict[str, Any]:
    return {**FILE, "tokens": {**TOKENS, **changes}}


def until(content: dict[str, Any]) -> float | None:
    login = CODEX.parse(content)
    assert login is not None
    return login.expires_at


def test_the_login_in_the_file_is_read() -> None:
    login = CODEX.parse(FILE)
    assert login is not None
    assert (login.access, login.refresh) == (TOKENS["access_token"], TOKENS["refresh_token"])
    assert (login.account, login.plan) == ("account", {"plan": "pro", "account": "account"})


def test_the_account_is_in_the_token_where_the_file_does_not_say_it() -> None:
    login = CODEX.parse(tokens(account_id=None))
    assert login is not None and login.account == "account-id"


@pytest.mark.parametrize(
    "content",
    [{}, {"tokens": None}, {"tokens": []}, tokens(access_token=""), {**FILE, "auth_mode": "apikey"}],
)
def test_a_file_without_tokens_has_no_login(content: dict[str, Any]) -> None:
    assert CODEX.parse(content) is None


@pytest.mark.parametrize(
    "written", [WRITTEN, WRITTEN[:-1] + "+00:00", WRITTEN[:-1] + "789Z", WRITTEN[:19] + "Z"]
)
def test_a_token_lives_from_when_it_was_written_here_whatever_the_issuers_clock_says(written: str) -> None:
    """Codex writes up to nine digits of a second, and none for a whole one, which was seen to be no time at all."""
    assert until({**FILE, "last_refresh": written}) == pytest.approx(WRITTEN_S + 600, abs=1)


@pytest.mark.parametrize("written", ["", "yesterday", "2026", "12:00", "2026-13-01T00:00:00Z"])
def test_where_nobody_says_when_it_was_written_the_issuers_date_is_taken(written: str) -> None:
    assert until({**FILE, "last_refresh": written}) == WRITTEN_S + 4200


def test_a_token_without_dates_does_not_end_by_itself() -> None:
    assert until(tokens(access_token=jwt({}))) is None
    assert until(tokens(access_token="opaque")) is None


def test_an_answer_replaces_the_tokens_it_has_and_nothing_else() -> None:
    written = CODEX.renewed(FILE, {"access_token": "new", "id_token": ""}, WRITTEN_S)
    assert written == {**tokens(access_token="new"), "last_refresh": "2026-01-02T10:00:00.000000Z"}
    assert FILE["tokens"] is TOKENS


@pytest.mark.parametrize("answer", [{}, {"id_token": "x", "refresh_token": "y"}, {"access_token": 1}])
def test_an_answer_without_a_token_changes_nothing(answer: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no access token"):
        CODEX.renewed(FILE, answer, WRITTEN_S)


def test_a_key_in_the_same_file_is_a_login_that_nobody_renews() -> None:
    login = CODEX_KEY.parse(KEY)
    assert login is not None
    assert (login.access, login.refresh, login.expires_at) == (KEY["OPENAI_API_KEY"], "", None)
    assert CODEX_KEY.endpoints == {} and CODEX.parse(KEY) is None


def test_of_a_key_and_a_chatgpt_login_the_login_is_taken() -> None:
    assert CODEX_KEY.parse({**FILE, "OPENAI_API_KEY": KEY["OPENAI_API_KEY"]}) is None


def test_the_issuer_is_told_the_refresh_token_in_the_body_alone() -> None:
    login = CODEX.parse(FILE)
    assert login is not None
    asking = CODEX.asking(login, Installed({}))
    assert (asking.host, asking.path) == ("auth.openai.com", "/oauth/token")
    assert json.loads(asking.body)["refresh_token"] == TOKENS["refresh_token"]
    assert asking.host in CODEX.endpoints and asking.path in CODEX.endpoints[asking.host]


def test_its_own_call_inside_is_answered_with_placeholders_of_the_same_plan() -> None:
    login = CODEX.parse(FILE)
    assert login is not None
    answer = json.dumps(CODEX.answer(login.plan))
    assert not [token for name, token in TOKENS.items() if name != "account_id" and token in answer]
