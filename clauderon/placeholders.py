"""What lies in a container in the place of a login: texts of the shape that clients check, and no secret in them."""

from __future__ import annotations

import binascii
import json

# Longer than any session, and still a date that every client can write (2100-01-01).
FAR_S = 4102444800
_URL_SAFE = str.maketrans("+/", "-_", "=")
LIFE_S = 365 * 86400
CLAUDE_ACCESS = "sk-ant-oat01-clauderon-placeholder-the-proxy-has-the-real-token"
CLAUDE_REFRESH = "sk-ant-ort01-clauderon-placeholder-the-host-has-the-real-token"
GEMINI_ACCESS = "ya29.clauderon-placeholder-the-proxy-has-the-real-token"
GEMINI_REFRESH = "1//clauderon-placeholder-the-host-has-the-real-token"
GEMINI_SCOPE = (
    "https://www.googleapis.com/auth/cloud-platform https://www.googleapis.com/auth/userinfo.email"
    " https://www.googleapis.com/auth/userinfo.profile openid"
)
CODEX_REFRESH = "rt_clauderon-placeholder-the-host-has-the-real-token"


def codex_token(plan: str, account: str) -> str:
    """A JWT as Codex parses one: the plan it shows, nobody's name, and a signature that is none.

    account: the real one's id, which is no secret: Codex looks for it in what its backend says of the accounts.
    """
    auth = {
        "chatgpt_account_id": account,
        "chatgpt_user_id": "user-clauderon-placeholder",
        "chatgpt_plan_type": plan or "plus",
    }
    claims = {
        "iat": 1600000000,
        "exp": FAR_S,
        "email": "agent@clauderon.invalid",
        "https://api.openai.com/auth": auth,
    }
    parts = (json.dumps(part).encode() for part in ({"alg": "none", "typ": "JWT"}, claims))
    # Not with `base64`, whose import costs every command a millisecond.
    coded = (binascii.b2a_base64(part, newline=False).decode().translate(_URL_SAFE) for part in parts)
    return ".".join((*coded, "clauderon-placeholder"))
