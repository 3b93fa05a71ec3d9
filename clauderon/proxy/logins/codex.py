"""Codex's login with a ChatGPT account: `auth.json` in its directory; and an API key that lies there instead."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clauderon import placeholders
from clauderon.proxy.logins.client import (
    Asking,
    Client,
    Content,
    Installed,
    Login,
    claims_of,
    home_of,
    number_of,
    text_of,
)

# What Codex calls itself to its issuer; it is in every copy of it, and no secret.
_CLIENT_ID = "app_EMoamEEZ73f0CkXaXp7hrann"
_AUTH = "https://api.openai.com/auth"


def _path(environ: Mapping[str, str]) -> Path | None:
    directory = home_of(environ, "CODEX_HOME", ".codex")
    return None if directory is None else directory / "auth.json"


def _parse(content: Content) -> Login | None:
    tokens = content.get("tokens")
    if not isinstance(tokens, dict) or content.get("auth_mode", "chatgpt") not in ("chatgpt", None):
        return None
    access = text_of(tokens, "access_token")
    if not access:
        return None
    said = claims_of(text_of(tokens, "id_token")).get(_AUTH)
    said = said if isinstance(said, dict) else {}
    account = text_of(tokens, "account_id") or text_of(said, "chatgpt_account_id")
    return Login(
        access=access,
        refresh=text_of(tokens, "refresh_token"),
        expires_at=_until(claims_of(access), text_of(content, "last_refresh")),
        account=account,
        plan={"plan": text_of(said, "chatgpt_plan_type"), "account": account},
    )


def _until(claims: Content, last_refresh: str) -> float | None:
    """The token's end by our clock: the issuer's may be wrong, so its life is counted from when it was written here."""
    end, begin = number_of(claims, "exp"), number_of(claims, "iat")
    if end is None or begin is None:
        return end
    try:
        written = datetime.fromisoformat(last_refresh)
    except ValueError:
        return end
    if written.tzinfo is None:
        written = written.replace(tzinfo=UTC)
    return written.timestamp() + (end - begin)


def _key(content: Content) -> Login | None:
    key = text_of(content, "OPENAI_API_KEY")
    return Login(access=key) if key and _parse(content) is None else None


def _asking(login: Login, _installed: Installed) -> Asking:
    body = {"client_id": _CLIENT_ID, "grant_type": "refresh_token", "refresh_token": login.refresh}
    return Asking("auth.openai.com", "/oauth/token", "application/json", json.dumps(body).encode())


def _renewed(content: Content, answer: Mapping[str, Any], now: float) -> Content:
    if not text_of(answer, "access_token"):
        raise ValueError("no access token in the answer")
    tokens = dict(content.get("tokens") or {})
    tokens |= {
        name: text_of(answer, name)
        for name in ("access_token", "refresh_token", "id_token")
        if text_of(answer, name)
    }
    stamp = datetime.fromtimestamp(now, UTC).isoformat(timespec="microseconds")
    return {**content, "tokens": tokens, "last_refresh": stamp.replace("+00:00", "Z")}


def _answer(plan: Mapping[str, Any]) -> Content:
    token = placeholders.codex_token(str(plan.get("plan", "")), str(plan.get("account", "")))
    return {
        "token_type": "Bearer",
        "id_token": token,
        "access_token": token,
        "refresh_token": placeholders.CODEX_REFRESH,
        "expires_in": placeholders.LIFE_S,
    }


CODEX = Client(
    name="codex",
    title="Codex",
    again="codex login",
    path=_path,
    parse=_parse,
    asking=_asking,
    renewed=_renewed,
    endpoints={"auth.openai.com": ("/oauth/token",)},
    answer=_answer,
)
# The same file with a key in it, which nobody renews.
CODEX_KEY = CODEX._replace(name="codex-key", parse=_key, endpoints={})
