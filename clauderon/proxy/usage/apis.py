"""Which requests go to a model, and in which dialect it answers. Pure."""

from __future__ import annotations

from typing import NamedTuple

from clauderon.proxy.usage import dialects
from clauderon.proxy.usage.dialects import Dialect


class Api(NamedTuple):
    """name: as in config.toml and `usage`."""

    name: str
    dialect: Dialect


ANTHROPIC = Api("anthropic", dialects.anthropic)
OPENAI = Api("openai", dialects.openai)
GEMINI = Api("gemini", dialects.gemini)
APIS = {api.name: api for api in (ANTHROPIC, OPENAI, GEMINI)}

# The hosts of the three, and how the paths end that a model answers.
HOSTS: dict[str, Api] = {
    "api.anthropic.com": ANTHROPIC,
    "api.openai.com": OPENAI,
    "chatgpt.com": OPENAI,
    "generativelanguage.googleapis.com": GEMINI,
    "cloudcode-pa.googleapis.com": GEMINI,
}
_ENDS = {
    "anthropic": ("/v1/messages",),
    "openai": ("/responses", "/chat/completions", "/completions", "/embeddings"),
    "gemini": (":generateContent", ":streamGenerateContent"),
}


def asked(api: Api, method: bytes, target: bytes, upgrade: bool = False) -> bool:
    """Whether a request is one that a model answers: a POST to such a path, or a WebSocket on it.

    target: the request's target in origin form, query and all.
    """
    if method != b"POST" and not (upgrade and method == b"GET"):
        return False
    path = target.partition(b"?")[0].rstrip(b"/")
    return path.endswith(tuple(end.encode() for end in _ENDS[api.name]))
