"""Gemini CLI's login: whose name and password renew it, and what is no login of its kind."""

from __future__ import annotations

import os
import urllib.parse
from pathlib import Path

import pytest

from clauderon.proxy.logins.client import Installed, Lacking, Login
from clauderon.proxy.logins.gemini import GEMINI
from tests.standins.issuer import CLIENT_ID, CLIENT_SECRET, GEMINI_CODE, Issuer

LOGIN = Login("ya29.test-not-a-real-token", "1//test-not-a-real-token")
OTHERS = GEMINI_CODE.replace("not-a-real", "somebody-elses")


def package(folder: Path, code: str = GEMINI_CODE, place: str = "bundle/chunk-A.js") -> Path:
    path = folder / place
    path.parent.mkdir(parents=True)
    path.write_text(code)
    (folder / "package.json").write_text("{}")
    return folder


def program(tmp_path: Path, code: str = GEMINI_CODE) -> dict[str, str]:
    """A PATH with a `gemini` that npm has linked there."""
    installed = package(tmp_path / "lib/node_modules/@google/gemini-cli", code)
    start = installed / "bundle/gemini.js"
    start.write_text("#!/usr/bin/env node\n")
    start.chmod(0o755)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/gemini").symlink_to(start)
    return {"PATH": f"relative:{tmp_path}/bin"}


def form(installed: Installed) -> dict[str, str]:
    return dict(urllib.parse.parse_qsl(GEMINI.asking(LOGIN, installed).body.decode()))


def test_it_is_renewed_by_what_the_installed_client_calls_itself(tmp_path: Path) -> None:
    asked = form(Installed(program(tmp_path)))
    assert asked == {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "grant_type": "refresh_token",
        "refresh_token": LOGIN.refresh,
    }


@pytest.mark.parametrize(
    "place", ["bundle/x.js", "node_modules/@google/gemini-cli-core/dist/src/code_assist/oauth2.js"]
)
def test_the_copy_that_sessions_use_will_do(tmp_path: Path, place: str) -> None:
    older = package(tmp_path / "gemini/0.1.0/linux-x64", OTHERS)
    os.utime(older / "package.json", (1, 1))
    package(tmp_path / "gemini/0.2.0/linux-x64", place=place)
    assert form(Installed({"PATH": "/nonexistent"}, tmp_path))["client_secret"] == CLIENT_SECRET
    # The person's own comes first.
    environ = program(tmp_path / "host", OTHERS)
    assert form(Installed(environ, tmp_path))["client_secret"] != CLIENT_SECRET


@pytest.mark.parametrize(
    "code",
    ["", f'"{CLIENT_SECRET}"', f'"{CLIENT_ID}"', GEMINI_CODE.replace(";\n", ";" + " " * 5000, 1)],
    ids=["nothing", "a password alone", "a name alone", "far apart"],
)
def test_without_a_client_that_says_it_a_login_cannot_be_renewed(tmp_path: Path, code: str) -> None:
    package(tmp_path / "gemini/0.2.0/linux-x64", code)
    with pytest.raises(Lacking, match="Gemini CLI"):
        GEMINI.asking(LOGIN, Installed({}, tmp_path))


def test_a_program_beside_the_caller_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative place on PATH may be an agent's worktree. Seen to fail with the PATH as it is."""
    program(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Lacking):
        GEMINI.asking(LOGIN, Installed({"PATH": "bin::."}))


def test_nothing_that_is_printed_shows_the_password(tmp_path: Path) -> None:
    """Seen to fail with the body shown."""
    asked = GEMINI.asking(LOGIN, Installed(program(tmp_path)))
    assert CLIENT_SECRET not in repr(asked)


@pytest.mark.parametrize(
    "content",
    [
        {"type": "service_account", "private_key": "test-not-a-real-key"},
        {"type": "service_account", "access_token": "test-not-a-real-token"},
        {"refresh_token": "1//test-not-a-real-token"},
        {"access_token": 1},
        {"access_token": ""},
    ],
)
def test_what_is_no_login_with_a_google_account_is_none(content: dict[str, object]) -> None:
    assert GEMINI.parse(content) is None


def test_google_says_no_new_refresh_token_and_the_earlier_one_stays() -> None:
    before = Issuer(0, Path()).gemini_login(-1)
    after = GEMINI.renewed(before, {"access_token": "ya29.test-new", "expires_in": 3599}, 1000.0)
    assert after == {**before, "access_token": "ya29.test-new", "expiry_date": 4599000}
