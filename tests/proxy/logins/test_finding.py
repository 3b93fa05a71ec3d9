"""Where a login on the host is found, what is none, and that looking for one stops nobody."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies

from clauderon import config
from clauderon.paths import Home
from clauderon.proxy.logins import finding
from clauderon.proxy.logins.client import Installed, Lacking
from clauderon.proxy.logins.store import InFile, InKeychain
from clauderon.proxy.secrets import credentials
from tests.standins.issuer import Issuer

ISSUER = Issuer(0, Path())
CLAUDE, CODEX, GEMINI = ISSUER.claude_login(3600), ISSUER.codex_login(3600), ISSUER.gemini_login(3600)


def put(path: Path, content: object, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("name", "variable", "folder", "file", "content"),
    [
        ("claude", "CLAUDE_CONFIG_DIR", ".claude", ".credentials.json", CLAUDE),
        ("codex", "CODEX_HOME", ".codex", "auth.json", CODEX),
        ("gemini", "GEMINI_CLI_HOME", ".", ".gemini/oauth_creds.json", GEMINI),
    ],
)
def test_a_login_is_found_where_its_client_keeps_it(
    tmp_path: Path, name: str, variable: str, folder: str, file: str, content: dict[str, Any]
) -> None:
    environ = {"HOME": str(tmp_path)}
    assert finding.find(name, environ, "linux") is None
    put(tmp_path / folder / file, content)
    found = finding.find(name, environ, "linux")
    assert found is not None
    assert found.login is not None
    assert found.login.refresh == ISSUER.refresh
    # The variable alone counts where it is set.
    assert finding.find(name, environ | {variable: str(tmp_path / "elsewhere")}, "linux") is None
    put(tmp_path / "elsewhere" / file, content)
    assert finding.find(name, {variable: str(tmp_path / "elsewhere")}, "linux") is not None


@pytest.mark.parametrize("name", ["claude", "codex", "gemini"])
def test_what_is_no_file_of_the_persons_own_stops_nobody(tmp_path: Path, name: str) -> None:
    """Seen to fail with an open that waits: a pipe of that name held `create` up for ever."""
    environ = {"HOME": str(tmp_path)}
    path = finding.CLIENTS[name].path(environ)
    assert path is not None
    path.parent.mkdir()
    os.mkfifo(path)
    found = finding.find(name, environ, "linux")
    assert found is not None
    assert "not a file" in found.problem
    path.unlink()
    put(path, "x" * (1 << 20))
    assert "more than" in _problem(name, environ)
    put(path, "[" * 100000)
    assert "not JSON" in _problem(name, environ)
    put(path, "[]")
    assert "not a JSON object" in _problem(name, environ)
    put(path, {}, 0o666)
    assert "others may write" in _problem(name, environ)
    if os.getuid() == 0:
        os.chown(put(path, {}), 65534, 65534)
        assert "another user" in _problem(name, environ)


def _problem(name: str, environ: dict[str, str]) -> str:
    found = finding.find(name, environ, "linux")
    assert found is not None
    assert found.login is None
    return found.problem


NAMES = (
    *("claudeAiOauth", "accessToken", "refreshToken", "expiresAt", "scopes", "subscriptionType"),
    *("tokens", "access_token", "id_token", "account_id", "last_refresh", "auth_mode", "OPENAI_API_KEY"),
    *("refresh_token", "expiry_date", "scope", "type"),
)
JSON = strategies.recursive(
    strategies.none()
    | strategies.booleans()
    | strategies.floats()
    | strategies.integers()
    | strategies.text(),
    lambda inner: (
        strategies.lists(inner, max_size=3)
        | strategies.dictionaries(
            strategies.sampled_from(NAMES),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)


@given(content=JSON)
def test_no_content_of_a_login_file_breaks_anything(content: object) -> None:
    """Seen to fail with any text taken for a token."""
    if not isinstance(content, dict):
        return
    for client in finding.CLIENTS.values():
        login = finding.parsed(client, content)
        if login is not None:
            assert login.access.isascii() and login.access.isprintable() and " " not in login.access
            json.dumps(dict(login.plan))
            with contextlib.suppress(Lacking):
                client.asking(login, Installed({}))
            assert login.access not in repr(login)


def test_an_ended_login_that_nothing_renews_says_what_to_type(tmp_path: Path, home: Home) -> None:
    content = ISSUER.claude_login(-60)
    content["claudeAiOauth"]["refreshToken"] = ""
    put(tmp_path / ".claude/.credentials.json", content)
    settings = config.load(home, {})
    rows = {row.name: row for row in credentials.describe(settings, home, {"HOME": str(tmp_path)})}
    assert not rows["anthropic-oauth"].set
    assert "claude /login" in rows["anthropic-oauth"].problem


def test_config_credentials_says_until_when(tmp_path: Path, home: Home) -> None:
    put(tmp_path / ".claude/.credentials.json", CLAUDE)
    put(tmp_path / ".codex/auth.json", ISSUER.codex_login(-60))
    put(tmp_path / ".gemini/oauth_creds.json", GEMINI)
    settings = config.load(home, {})
    rows = {row.name: row for row in credentials.describe(settings, home, {"HOME": str(tmp_path)})}
    assert rows["anthropic-oauth"].origin.startswith("login of Claude Code, valid until 2")
    assert "renewed at its next use" in rows["chatgpt"].origin
    assert rows["chatgpt"].set
    assert rows["google-oauth"].origin.startswith("login of Gemini CLI, valid until 2")
    assert ISSUER.refresh not in repr(rows)
    assert not rows["openai"].set


def test_a_key_of_codex_is_lent_and_not_renewed(tmp_path: Path, home: Home) -> None:
    put(
        tmp_path / ".codex/auth.json",
        {"OPENAI_API_KEY": "sk-test-not-a-real-key-0001", "auth_mode": "apikey"},
    )
    settings = config.load(home, {})
    environ = {"HOME": str(tmp_path)}
    rows = {row.name: row for row in credentials.describe(settings, home, environ)}
    assert (rows["openai"].set, rows["chatgpt"].set) == (True, False)
    assert credentials.lent_logins(settings, home, environ) == {}


def test_gh_is_asked_where_it_is_and_was_logged_in(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "PATH": str(tmp_path / "bin")}
    assert finding.gh(environ) == ()
    put(tmp_path / ".config/gh/hosts.yml", "github.example.com:\n    user: me\n")
    put(tmp_path / "bin/gh", "#!/bin/sh\n", 0o755)
    assert finding.gh(environ) == ()
    (tmp_path / "bin/gh").unlink()
    put(tmp_path / ".config/gh/hosts.yml", "github.com:\n    user: me\n")
    assert finding.gh(environ) == ()
    put(tmp_path / "bin/gh", "#!/bin/sh\n", 0o755)
    assert finding.gh(environ) == ("gh", "auth", "token", "--hostname", "github.com")
    assert finding.gh(environ | {"GH_CONFIG_DIR": str(tmp_path / "other")}) == ()


def test_on_macos_the_keychain_is_asked_where_there_is_no_file(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "USER": "me"}
    store = finding.store_of(finding.CLIENTS["claude"], environ, "darwin")
    assert isinstance(store, InKeychain)
    assert store.item == "Claude Code-credentials"
    named = finding.store_of(finding.CLIENTS["claude"], environ | {"CLAUDE_CONFIG_DIR": "/x"}, "darwin")
    assert isinstance(named, InKeychain)
    assert named.item.startswith("Claude Code-credentials-")
    put(tmp_path / ".claude/.credentials.json", CLAUDE)
    assert isinstance(finding.store_of(finding.CLIENTS["claude"], environ, "darwin"), InFile)
    assert isinstance(finding.store_of(finding.CLIENTS["codex"], environ, "darwin"), InFile)
    assert stat.S_IMODE((tmp_path / ".claude/.credentials.json").stat().st_mode) == 0o600
