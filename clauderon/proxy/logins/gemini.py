"""Gemini CLI's login with a Google account: `oauth_creds.json` in its directory.

Google takes a renewal only from who knows what the client calls itself and its password. Both are in every copy of
Gemini CLI and in none of ours: they are read from the copy that is installed here, when they are needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from clauderon import files, placeholders
from clauderon.proxy.logins.client import (
    Asking,
    Client,
    Content,
    Installed,
    Lacking,
    Login,
    home_of,
    number_of,
    text_of,
)

_LIFE_S = 3600
_MOST_BYTES = 64 << 20  # of a program's file; the largest there is has 17 MB
_NAME = rb"[\"'](\d{6,20}-\w{16,64}\.apps\.googleusercontent\.com)[\"']"
_PASSWORD = rb"[\"'](GOCSPX-[\w-]{8,64})[\"']"
_APART = 1024  # bytes between the two, at most
# Where its code is below the folder of the npm package, now and in earlier versions.
_CODE = (
    "bundle/*.js",
    "node_modules/@google/gemini-cli-core/dist/src/code_assist/oauth2.js",
    "../gemini-cli-core/dist/src/code_assist/oauth2.js",
)


class _Called(NamedTuple):
    """What a Gemini CLI calls itself to its issuer."""

    name: str
    password: str

    def __repr__(self) -> str:
        return "_Called()"


def _path(environ: Mapping[str, str]) -> Path | None:
    # Its variable names a home, in which its directory is.
    home = home_of(environ, "GEMINI_CLI_HOME", "")
    return None if home is None else home / ".gemini" / "oauth_creds.json"


def _parse(content: Content) -> Login | None:
    access = text_of(content, "access_token")
    # The same place may hold the key of a service account, which has no such token.
    if not access or text_of(content, "type") not in ("", "authorized_user"):
        return None
    until = number_of(content, "expiry_date")
    return Login(
        access=access,
        refresh=text_of(content, "refresh_token"),
        expires_at=None if until is None else until / 1000,
    )


def _asking(login: Login, installed: Installed) -> Asking:
    called = next((found for code in _code(installed) if (found := _called(code)) is not None), None)
    if called is None:
        raise Lacking("that takes Gemini CLI, which is not installed here")
    body = {
        "client_id": called.name,
        "client_secret": called.password,
        "grant_type": "refresh_token",
        "refresh_token": login.refresh,
    }
    kind = "application/x-www-form-urlencoded"
    return Asking("oauth2.googleapis.com", "/token", kind, urlencode(body).encode())


def _code(installed: Installed) -> Iterator[Path]:
    """Files that may say it: of the person's own copy first, then of those that sessions use, the newest first."""
    import shutil  # every command loads this file, and a renewal alone looks for a program

    places = (installed.environ.get("PATH") or "").split(":")
    program = shutil.which("gemini", path=":".join(place for place in places if place.startswith("/")))
    # A link leads from there to a file in `bundle` or `dist`.
    folders = list(Path(program).resolve().parents[:3]) if program else []
    if installed.agents is not None:
        packages = [path.parent for path in installed.agents.glob("gemini/*/*/package.json")]
        folders += sorted(packages, key=lambda path: path.stat().st_mtime, reverse=True)
    for folder in folders:
        for pattern in _CODE:
            # In a fixed order, and the large ones, of which one has it, before the many small.
            yield from sorted(folder.glob(pattern), key=lambda path: (-path.stat().st_size, path.name))


def _called(code: Path) -> _Called | None:
    import re  # likewise

    try:
        data = files.read(code, _MOST_BYTES)
    except OSError:
        return None
    password = re.search(_PASSWORD, data)
    if password is None:
        return None
    names = re.findall(_NAME, data[max(0, password.start() - _APART) : password.start()])
    return _Called(names[-1].decode(), password[1].decode()) if names else None


def _renewed(content: Content, answer: Mapping[str, Any], now: float) -> Content:
    if not text_of(answer, "access_token"):
        raise ValueError("no access token in the answer")
    life = number_of(answer, "expires_in")
    named = ("access_token", "refresh_token", "id_token", "scope", "token_type")
    said = {name: text_of(answer, name) for name in named if text_of(answer, name)}
    return {**content, **said, "expiry_date": int((now + (_LIFE_S if life is None else life)) * 1000)}


def _answer(_plan: Mapping[str, Any]) -> Content:
    # To whoever asks what a token is, the same: the client looks for its scope and its life.
    return {
        "token_type": "Bearer",
        "access_token": placeholders.GEMINI_ACCESS,
        "refresh_token": placeholders.GEMINI_REFRESH,
        "scope": placeholders.GEMINI_SCOPE,
        "expires_in": placeholders.LIFE_S,
    }


GEMINI = Client(
    name="gemini",
    title="Gemini CLI",
    again="gemini",
    path=_path,
    parse=_parse,
    asking=_asking,
    renewed=_renewed,
    endpoints={"oauth2.googleapis.com": ("/token", "/tokeninfo")},
    answer=_answer,
)
