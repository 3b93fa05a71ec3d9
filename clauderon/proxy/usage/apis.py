"""Which requests go to a model, and in which dialect it answers. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from clauderon.known.table import LENT
from clauderon.proxy.usage import dialects
from clauderon.proxy.usage.dialects import Dialect


class Api(NamedTuple):
    """name: as in config.toml and `usage`. errors: the shape of its errors, as `http.problem` calls it.

    over_budget: the status that makes its agents show a used-up budget and ask no more, found by trying. After 400 one
    agent dropped its beta headers and asked six times; after 402 and 403 another connected anew, and again over HTTP.
    """

    name: str
    dialect: Dialect
    errors: str
    over_budget: int


ANTHROPIC = Api("anthropic", dialects.anthropic, "anthropic", 402)
OPENAI = Api("openai", dialects.openai, "openai", 400)
GEMINI = Api("gemini", dialects.gemini, "google", 400)
APIS = {api.name: api for api in (ANTHROPIC, OPENAI, GEMINI)}

# The hosts of the three and those that come with an agent, and how the paths end that a model answers.
HOSTS: dict[str, Api] = {
    "api.anthropic.com": ANTHROPIC,
    "api.openai.com": OPENAI,
    "chatgpt.com": OPENAI,
    "generativelanguage.googleapis.com": GEMINI,
    "cloudcode-pa.googleapis.com": GEMINI,
} | {host: APIS[lent.api] for lent in LENT.values() if lent.api for host in lent.credential.hosts}
_ENDS = {
    "anthropic": ("/v1/messages",),
    "openai": ("/responses", "/responses/compact", "/chat/completions", "/completions", "/embeddings"),
    "gemini": (":generateContent", ":streamGenerateContent"),
}


# What is billed as well and says nothing of its cost in its answer: batches, pictures, sound, calls.
_UNCOUNTED = {
    "anthropic": re.compile(rb"/v1/(messages/batches|complete)$"),
    "openai": re.compile(
        rb"/(batches|images/[a-z]+|audio/[a-z]+|videos(/[^/]+/remix)?|fine_tuning/jobs|runs|realtime(/[a-z_]+)*)$"
    ),
    "gemini": re.compile(
        rb":(batchGenerateContent|predict|predictLongRunning|(async)?(batch)?embedContents?|generateAnswer"
        rb"|asyncBatchEmbedContent|streamRawPredict|rawPredict)$|[./]BidiGenerateContent(Constrained)?$|/interactions$",
        re.IGNORECASE,
    ),
}


_MODEL = re.compile(rb"/models/([\w.-]{1,128}):")


def asked(api: Api, method: bytes, target: bytes, upgrade: bool = False) -> bool:
    """Whether a request is one that a model answers: a POST to such a path, or a WebSocket on it.

    target: the request's target in origin form, query and all.
    """
    if method != b"POST" and not (upgrade and method == b"GET"):
        return False
    path = target.partition(b"?")[0].rstrip(b"/")
    return path.endswith(tuple(end.encode() for end in _ENDS[api.name]))


def uncounted(api: Api, method: bytes, target: bytes, upgrade: bool = False) -> bool:
    """Whether a request is one that the API bills and whose cost nobody can read from its answer."""
    if method != b"POST" and not (upgrade and method == b"GET"):
        return False
    return _UNCOUNTED[api.name].search(target.partition(b"?")[0].rstrip(b"/")) is not None


def model_named(target: bytes) -> str:
    """The model in a request's path, as Gemini's have it; "" where there is none."""
    match = _MODEL.search(target.partition(b"?")[0])
    return match[1].decode() if match else ""
