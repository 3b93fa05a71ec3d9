"""Where a secret may come from, what is refused, and that nothing shows it."""

from __future__ import annotations

import pickle
import traceback
from pathlib import Path

import pytest
from hypothesis import given, strategies

from clauderon import config
from clauderon.config.schema import Config, Credential
from clauderon.paths import Home
from clauderon.proxy.secrets import credentials
from clauderon.proxy.secrets.credentials import Given, Secret
from clauderon.proxy.secrets.in_file import BadSecret

CANARY = "sk-ant-test-not-a-real-key-0001"


def secret_file(home: Home, name: str, text: str = f"{CANARY}\n", mode: int = 0o600) -> Path:
    path = home.secrets / name
    path.write_text(text)
    path.chmod(mode)
    return path


def write(home: Home, text: str) -> Config:
    home.config.write_text(text)
    return config.load(home, {})


EVERYWHERE = Credential("x", hosts=("x.test",), env=("X_KEY", "X_TOKEN"), command=("print-x",), file="x")


def test_environment_comes_before_command_and_command_before_file(home: Home) -> None:
    secret_file(home, "x", "from-file")
    assert credentials.locate(EVERYWHERE, home, {"X_TOKEN": "second"}).origin == "env X_TOKEN"
    assert credentials.locate(EVERYWHERE, home, {"X_TOKEN": "second", "X_KEY": "first"}).origin == "env X_KEY"
    assert credentials.locate(EVERYWHERE, home, {"X_KEY": ""}).argv == ("print-x",)
    without_command = Credential("x", hosts=("x.test",), env=("X_KEY",), file="x")
    found = credentials.locate(without_command, home, {})
    assert found.secret == Secret("from-file")
    assert credentials.locate(Credential("x", env=("X_KEY",)), home, {}) == credentials.Located()


def test_a_file_that_is_refused_supplies_nothing_and_says_why(home: Home) -> None:
    secret_file(home, "x", mode=0o644)
    found = credentials.locate(Credential("x", file="x"), home, {})
    assert not found.supplied
    assert "chmod 600" in found.problem and CANARY not in repr(found)


@pytest.mark.parametrize(("text", "value"), [("a\n", "a"), ("a\r\n", "a"), ("a", "a"), ("a b", "a b")])
def test_one_newline_at_the_end_is_not_part_of_the_secret(text: str, value: str) -> None:
    assert credentials.parse_secret(text).reveal() == value


@pytest.mark.parametrize(
    "text", ["", "\n", " ", "a\nb", "a\n\n", "a\rb", "a\0b", "\x1b[0m", "a\x7f", "é", "a" * 20_000]
)
def test_what_cannot_stand_in_a_header_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(BadSecret) as caught:
        credentials.parse_secret(text)
    if len(text.strip()) > 1:
        assert text.strip() not in str(caught.value)


@given(strategies.text())
def test_whatever_passes_is_one_header_value(text: str) -> None:
    try:
        value = credentials.parse_secret(text).reveal()
    except BadSecret:
        return
    assert value.isascii() and value.isprintable() and value.strip()


def test_a_secret_does_not_show_itself() -> None:
    secret = Secret(CANARY)
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>40}",
        repr([secret]),
        repr(Given(secret, "env X")),
    ]
    assert all(CANARY not in text for text in shown)
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    try:
        raise ValueError(secret)
    except ValueError:
        assert CANARY not in traceback.format_exc()


def test_op_references_are_read_by_op_and_never_taken_for_options(home: Home) -> None:
    found = credentials.locate(Credential("x", env=("X",)), home, {"X": "op://vault/item/field"})
    assert found.origin == "op:// in env X"
    assert found.argv == ("op", "read", "--no-newline", "--", "op://vault/item/field")
    secret_file(home, "x", "op://vault/--help\n")
    assert credentials.locate(Credential("x", file="x"), home, {}).argv[-2:] == ("--", "op://vault/--help")


@pytest.mark.parametrize(
    ("environ", "kind"),
    [
        ({}, ""),
        ({"ANTHROPIC_API_KEY": CANARY}, "api-key"),
        ({"CLAUDE_CODE_OAUTH_TOKEN": CANARY}, "oauth"),
        ({"ANTHROPIC_AUTH_TOKEN": CANARY}, "oauth"),
        ({"ANTHROPIC_API_KEY": CANARY, "CLAUDE_CODE_OAUTH_TOKEN": CANARY}, "api-key"),
    ],
)
def test_the_kind_of_the_anthropic_credential(home: Home, environ: dict[str, str], kind: str) -> None:
    assert credentials.kind(config.load(home, {}), home, environ) == kind


def test_the_kind_knows_what_a_running_service_holds_and_what_a_file_has(home: Home) -> None:
    loaded = config.load(home, {})
    assert credentials.kind(loaded, home, {}, {"anthropic-oauth": "env X"}) == "oauth"
    secret_file(home, "claude_code_oauth_token")
    assert credentials.kind(loaded, home, {}) == "oauth"
    secret_file(home, "anthropic_api_key")
    assert credentials.kind(loaded, home, {}) == "api-key"


def test_describe_says_what_is_set_and_from_where_and_never_the_value(home: Home) -> None:
    secret_file(home, "openai_api_key")
    secret_file(home, "gemini_api_key", mode=0o644)
    loaded = write(
        home,
        '[credentials.mine]\nhosts = ["*.mine.test"]\nheader = "X-Mine"\ncommand = ["/bin/print-mine", "arg"]\n',
    )
    rows = {
        row.name: row
        for row in credentials.describe(
            loaded, home, {"GH_TOKEN": CANARY}, {"anthropic": "env ANTHROPIC_API_KEY"}
        )
    }
    assert CANARY not in repr(rows)
    assert (rows["anthropic"].set, rows["anthropic"].origin) == (
        True,
        "env ANTHROPIC_API_KEY, held by the proxy",
    )
    assert (rows["openai"].set, rows["openai"].origin) == (True, "file openai_api_key")
    assert (rows["google"].set, "0644" in rows["google"].problem) == (False, True)
    assert rows["github"].origin == rows["github-git"].origin == "env GH_TOKEN"
    assert (rows["mine"].set, rows["mine"].origin, rows["mine"].kind) == (
        True,
        "command print-mine, not obtained yet",
        "x-mine",
    )
    assert rows["anthropic-oauth"].set is False
    kinds = {
        "anthropic": "api-key",
        "anthropic-oauth": "oauth",
        "openai": "bearer",
        "chatgpt": "bearer",
        "google": "api-key",
        "github": "bearer",
        "github-git": "basic",
    }
    assert {name: rows[name].kind for name in kinds} == kinds
