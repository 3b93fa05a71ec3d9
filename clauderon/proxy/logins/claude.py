"""Claude Code's login: `.credentials.json` in its directory, or an item of macOS's keychain with the same text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clauderon import placeholders
from clauderon.proxy.logins.client import (
    Asking,
    Client,
    Content,
    Installed,
    Login,
    home_of,
    number_of,
    text_of,
)

_FILE = ".credentials.json"
_KEY = "claudeAiOauth"
# What Claude Code calls itself to its issuer; it is in every copy of it, and no secret.
_CLIENT_ID = "9d1c250a-e61b-44d9-88ed-5944d1962f5e"
_SCOPES = ("user:inference", "user:profile")
_LIFE_S = 8 * 3600


def _directory(environ: Mapping[str, str]) -> Path | None:
    return home_of(environ, "CLAUDE_CONFIG_DIR", ".claude")


def _path(environ: Mapping[str, str]) -> Path | None:
    directory = _directory(environ)
    return None if directory is None else directory / _FILE


def _keychain(environ: Mapping[str, str]) -> str:
    """The item's name: another for each CLAUDE_CONFIG_DIR, as Claude Code has it."""
    import hashlib  # slow, and for macOS alone

    named = environ.get("CLAUDE_CONFIG_DIR")
    apart = f"-{hashlib.sha256(named.encode()).hexdigest()[:8]}" if named else ""
    return f"Claude Code-credentials{apart}"


def _parse(content: Content) -> Login | None:
    kept = content.get(_KEY)
    if not isinstance(kept, dict) or not text_of(kept, "accessToken"):
        return None
    until = number_of(kept, "expiresAt")
    plan = {name: kept[name] for name in ("subscriptionType", "rateLimitTier") if text_of(kept, name)}
    scopes = kept.get("scopes")
    if isinstance(scopes, list) and all(isinstance(scope, str) for scope in scopes):
        plan["scopes"] = scopes
    return Login(
        access=text_of(kept, "accessToken"),
        refresh=text_of(kept, "refreshToken"),
        expires_at=None if until is None else until / 1000,
        plan=plan,
    )


def _asking(login: Login, _installed: Installed) -> Asking:
    body = {"grant_type": "refresh_token", "refresh_token": login.refresh, "client_id": _CLIENT_ID}
    scopes = [scope for scope in login.plan.get("scopes", ()) if scope.startswith("user:")]
    if scopes:
        body["scope"] = " ".join(scopes)
    return Asking("platform.claude.com", "/v1/oauth/token", "application/json", json.dumps(body).encode())


def _renewed(content: Content, answer: Mapping[str, Any], now: float) -> Content:
    access = text_of(answer, "access_token")
    if not access:
        raise ValueError("no access token in the answer")
    kept = dict(content.get(_KEY) or {})
    life = number_of(answer, "expires_in")
    kept |= {
        "accessToken": access,
        "refreshToken": text_of(answer, "refresh_token") or kept.get("refreshToken", ""),
        "expiresAt": int((now + (_LIFE_S if life is None else life)) * 1000),
    }
    scope = text_of(answer, "scope")
    if scope:
        kept["scopes"] = scope.split()
    return {**content, _KEY: kept}


def _locks(path: Path) -> tuple[Path, ...]:
    # Present versions make the first, and the second for the sake of earlier ones, which make it alone.
    directory = path.parent.resolve()
    return directory / ".oauth_refresh.lock", directory.with_name(f"{directory.name}.lock")


def _answer(_plan: Mapping[str, Any]) -> Content:
    return {
        "token_type": "Bearer",
        "access_token": placeholders.CLAUDE_ACCESS,
        "refresh_token": placeholders.CLAUDE_REFRESH,
        "expires_in": placeholders.LIFE_S,
        "scope": " ".join(_SCOPES),
    }


CLAUDE = Client(
    name="claude",
    title="Claude Code",
    again="claude /login",
    path=_path,
    keychain=_keychain,
    parse=_parse,
    asking=_asking,
    renewed=_renewed,
    locks=_locks,
    endpoints={
        "platform.claude.com": ("/v1/oauth/token",),
        "console.anthropic.com": ("/v1/oauth/token",),
        "api.anthropic.com": ("/v1/oauth/token",),
    },
    answer=_answer,
)
