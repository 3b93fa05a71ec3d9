"""Which requests go to a model, and in which dialect it answers. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from clauderon.known.table import LENT
from clauderon.proxy.policy import fine_rules
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


class Hosts(Mapping[str, Api]):
    """By host; an entry `*.example.com` is for every name below it."""

    def __init__(self, entries: Mapping[str, Api]) -> None:
        self._entries = entries

    def __getitem__(self, host: str) -> Api:
        found = self._entries.get(host)
        while found is None:
            _, dot, host = host.partition(".")
            if not dot:
                raise KeyError(host)
            found = self._entries.get(f"*.{host}")
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


# The hosts of the three and those that come with an agent.
HOSTS = Hosts(
    {
        "api.anthropic.com": ANTHROPIC,
        "api.openai.com": OPENAI,
        "chatgpt.com": OPENAI,
        "generativelanguage.googleapis.com": GEMINI,
        "cloudcode-pa.googleapis.com": GEMINI,
    }
    | {host: APIS[lent.api] for lent in LENT.values() if lent.api for host in lent.credential.hosts}
)
# How the paths end that a model answers, by the API whose dialect it is. Each API's hosts know some of the others' too.
_ENDS = {
    "anthropic": (b"/v1/messages",),
    "openai": (b"/responses", b"/responses/compact", b"/chat/completions", b"/completions", b"/embeddings"),
    "gemini": (b":generatecontent", b":streamgeneratecontent"),
}
_ANY_END = tuple(end for ends in _ENDS.values() for end in ends)
_READING = frozenset({b"GET", b"HEAD", b"OPTIONS"})

# What is billed as well and says nothing of its cost in its answer: batches, pictures, sound, calls.
_UNCOUNTED = {
    "anthropic": re.compile(
        rb"/v1/(messages/batches|complete)$|/sessions(/[^/]+/events)?$|/experimental/[a-z]+_prompt$"
    ),
    "openai": re.compile(
        rb"/(batches|images/[a-z]+|audio/[a-z]+|videos(/[^/]+/remix|/[a-z]+)?|fine_tuning/jobs|runs|realtime(/[\w-]+)*"
        rb"|chatkit/sessions|memories/[a-z_]+|wham/tasks|agents/.*/jobs(/.*)?|messages/batches)$"
    ),
    "gemini": re.compile(
        rb":(batchgeneratecontent|predict|predictlongrunning|(async)?(batch)?embedcontents?|generateanswer"
        rb"|asyncbatchembedcontent|streamrawpredict|rawpredict)$|[./]bidigeneratecontent(constrained)?$|/interactions$"
        rb"|/openai/(batches|images/[a-z]+|audio/[a-z]+|videos)$|/cachedcontents$|/tunedmodels$"
    ),
}


_MODEL = re.compile(rb"/models/([\w.-]{1,128}):")


def asked(method: bytes, target: bytes, upgrade: bool = False) -> bool:
    """Whether a request is one that a model answers: a POST to such a path, or a WebSocket on it.

    target: the request's target in origin form, query and all.
    """
    if not _asks(method, upgrade):
        return False
    paths = _paths(target)
    return not paths or any(path.endswith(_ANY_END) for path in paths)


def dialect(api: Api, target: bytes) -> Dialect:
    """In which one a model of this API answers such a request."""
    paths = _paths(target)
    named = (APIS[name] for name, ends in _ENDS.items() if any(path.endswith(ends) for path in paths))
    return next(named, api).dialect


def uncounted(api: Api, method: bytes, target: bytes, upgrade: bool = False) -> bool:
    """Whether a request is one that the API bills and whose cost nobody can read from its answer."""
    return _asks(method, upgrade) and any(map(_UNCOUNTED[api.name].search, _paths(target)))


def _asks(method: bytes, upgrade: bool) -> bool:
    """Some servers take `post` for POST, and PUT with a field that says so."""
    return method not in _READING or (upgrade and method == b"GET")


def _paths(target: bytes) -> list[bytes]:
    """In lower case, in every way that a server may read it; without a query. [] where these are too many."""
    try:
        return [path.rstrip(b"/").lower() for path in fine_rules.readings(target.partition(b"?")[0])]
    except fine_rules.Unclear:
        return []


def model_named(target: bytes) -> str:
    """The model in a request's path, as Gemini's have it; "" where there is none."""
    match = _MODEL.search(target.partition(b"?")[0])
    return match[1].decode() if match else ""
