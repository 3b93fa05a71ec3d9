"""Texts in every coding that the mask looks into, and cut into pieces."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote

from hypothesis import strategies as st

TOKENS = {
    "github": "ghp_Ab3dE5gH7jK9mN1pQ3rS5tU7vW9xY1zA2bC4",
    "fine-grained": "github_pat_11ABCDEFG0abcDEFghiJKL_" + "Zx9Yw8Vu7Ts6Rq5Po4Nm3Lk2Ji1Hg0Fe" * 2,
    "anthropic": "sk-ant-api03-" + "a1-B2_c3D4" * 9 + "xyzAA",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
    "hexadecimal": "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    "base64 of nothing else": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzz+zzzzKEY=",
    "with other characters": 'Tr0ub4dor&3 "quoted" \\ and <more>, 50% of/it?',
    "a short password": "hunter2!x",
}
GSON = {ord(letter): f"\\u{ord(letter):04x}" for letter in "&<>='"}
CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "lower": bytes.lower,
    "upper": bytes.upper,
    "basic": lambda secret: base64.b64encode(b"x-access-token:" + secret),
    "base64": base64.b64encode,
    "base64, 1": lambda secret: base64.b64encode(b"a" + secret + b"z"),
    "base64, 2": lambda secret: base64.b64encode(b"ab" + secret + b"yz"),
    "base64, 3": lambda secret: base64.urlsafe_b64encode(b"abcd" + secret + b"xyz"),
    "url": lambda secret: quote(secret, safe="").encode(),
    "json": lambda secret: json.dumps(secret.decode())[1:-1].encode(),
    "json of Gson": lambda secret: json.dumps(secret.decode())[1:-1].translate(GSON).encode(),
    "html of Go": lambda secret: (
        html.escape(secret.decode()).replace("&quot;", "&#34;").replace("&#x27;", "&#39;").encode()
    ),
    "basic, url": lambda secret: quote(base64.b64encode(b"x-access-token:" + secret), safe="").encode(),
    "basic, base64": lambda secret: base64.b64encode(
        b"a" + base64.b64encode(b"x-access-token:" + secret) + b"z"
    ),
    "a field's name": lambda secret: b"-".join(part.capitalize() for part in secret.split(b"-")),
}
cuts = st.lists(st.integers(1, 60), max_size=40)


def pieces(wire: bytes, at: list[int]) -> list[bytes]:
    cut = []
    for size in at:
        cut.append(wire[:size])
        wire = wire[size:]
    return [piece for piece in [*cut, wire] if piece]
