"""Who gets which credential: hosts, precedence, forms."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, strategies

from clauderon.config.builtin_credentials import BUILTIN_CREDENTIALS
from clauderon.config.schema import Credential
from clauderon.proxy.secrets.credentials import Secret
from clauderon.proxy.secrets.grants import Grants

CANARY = "sk-ant-test-not-a-real-key-0001"
SET = {name: Secret(f"{CANARY}-{name}") for name in BUILTIN_CREDENTIALS}


@pytest.mark.parametrize(
    ("host", "name", "header", "value"),
    [
        ("api.anthropic.com", "anthropic", b"x-api-key", f"{CANARY}-anthropic"),
        ("api.openai.com", "openai", b"authorization", f"Bearer {CANARY}-openai"),
        ("generativelanguage.googleapis.com", "google", b"x-goog-api-key", f"{CANARY}-google"),
        ("api.github.com", "github", b"authorization", f"Bearer {CANARY}-github"),
        ("uploads.github.com", "github", b"authorization", f"Bearer {CANARY}-github"),
    ],
)
def test_built_in_credentials_go_to_their_hosts(host: str, name: str, header: bytes, value: str) -> None:
    grant = Grants(BUILTIN_CREDENTIALS, SET).grant(host, 443)
    assert grant is not None
    assert (grant.name, grant.header, grant.value) == (name, header, value.encode())


def test_git_over_https_gets_basic_and_both_forms_are_needles() -> None:
    grant = Grants(BUILTIN_CREDENTIALS, SET).grant("github.com", 443)
    secret = f"{CANARY}-github-git".encode()
    encoded = base64.b64encode(b"x-access-token:" + secret)
    assert grant is not None
    assert grant.value == b"Basic " + encoded
    assert grant.needles is not None
    for form in (secret, encoded):
        assert grant.needles.find(b"you sent " + form + b", didn't you?")[0] == (9, 9 + len(form))


@pytest.mark.parametrize(
    "host",
    [
        "anthropic.com",
        "xapi.anthropic.com",
        "api.anthropic.com.evil.test",
        "github.com.evil.test",
        "evil-github.com",
        "gist.github.com",
        "raw.githubusercontent.com",
        "127.0.0.1",
        "::1",
        "",
    ],
)
def test_look_alikes_get_nothing(host: str) -> None:
    """Seen to fail when a part of a name was enough."""
    assert Grants(BUILTIN_CREDENTIALS, SET).grant(host, 443) is None


def test_of_two_for_one_host_the_first_that_is_set_counts() -> None:
    oauth = {"anthropic-oauth": Secret(CANARY)}
    grant = Grants(BUILTIN_CREDENTIALS, oauth).grant("api.anthropic.com", 443)
    assert grant is not None
    assert (grant.header, grant.value) == (b"authorization", f"Bearer {CANARY}".encode())
    both = Grants(BUILTIN_CREDENTIALS, {**oauth, "anthropic": Secret("first")}).grant(
        "api.anthropic.com", 443
    )
    assert both is not None and both.value == b"first"


def test_one_that_is_set_for_a_pattern_beats_one_that_is_not_for_the_very_host() -> None:
    own = Credential(name="mine", hosts=("*.github.com",), header="authorization", format="Bearer {secret}")
    table = {**BUILTIN_CREDENTIALS, "mine": own}
    grant = Grants(table, {"mine": Secret(CANARY)}).grant("api.github.com", 443)
    assert grant is not None and grant.name == "mine" and grant.value is not None
    both = Grants(table, {"mine": Secret(CANARY), "github": Secret("first")}).grant("api.github.com", 443)
    assert both is not None and both.name == "github"
    neither = Grants(table, {}).grant("api.github.com", 443)
    assert neither is not None and neither.name == "github"


def test_without_a_secret_there_is_a_grant_that_says_what_would_supply_it() -> None:
    grant = Grants(BUILTIN_CREDENTIALS, {}).grant("api.anthropic.com", 443)
    assert grant is not None
    assert grant.value is None
    assert grant.model_api
    assert "ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN" in grant.hint
    assert "`clauderon secret set anthropic`" in grant.hint


def test_patterns_match_below_and_the_most_particular_wins() -> None:
    table = {
        "wide": Credential("wide", hosts=("*.example.com",)),
        "narrow": Credential("narrow", hosts=("*.a.example.com",)),
        "exact": Credential("exact", hosts=("b.a.example.com",)),
    }
    grants = Grants(table, {name: Secret(f"secret-{name}") for name in table})
    names = {
        host: (grants.grant(host, 443) or Credential("none")).name
        for host in (
            "x.example.com",
            "x.a.example.com",
            "b.a.example.com",
            "y.x.example.com",
            "example.com",
            "xexample.com",
        )
    }
    assert names == {
        "x.example.com": "wide",
        "x.a.example.com": "narrow",
        "b.a.example.com": "exact",
        "y.x.example.com": "wide",
        "example.com": "none",
        "xexample.com": "none",
    }


def test_headers_are_those_of_every_credential_and_the_usual_ones() -> None:
    headers = Grants({"x": Credential("x", hosts=("x.test",), header="X-Mine")}, {}).headers
    assert {b"x-mine", b"authorization", b"x-api-key", b"x-goog-api-key", b"proxy-authorization"} <= headers


def test_printing_a_grant_shows_no_secret() -> None:
    grants = Grants(BUILTIN_CREDENTIALS, SET)
    for credential in BUILTIN_CREDENTIALS.values():
        for host in credential.hosts:
            assert CANARY not in repr(grants.grant(host, 443))


@given(strategies.text(strategies.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1))
def test_a_secret_with_braces_passes_as_it_is(secret: str) -> None:
    table = {"x": Credential("x", hosts=("x.test",), format="{secret}")}
    grant = Grants(table, {"x": Secret(secret)}).grant("x.test", 443)
    assert grant is not None and grant.value == secret.encode()


def test_short_secrets_are_no_needles() -> None:
    grant = Grants({"x": Credential("x", hosts=("x.test",))}, {"x": Secret("abc")}).grant("x.test", 443)
    assert grant is not None and grant.needles is None
