"""Which requests go to a model, and in which dialect it answers. Pure."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from clauderon.known.table import LENT
from clauderon.proxy.http.request import RequestHead, split_target
from clauderon.proxy.policy import fine_rules, read_only
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

# Of those paths the ones that these APIs are known to have, and what else is known to cost nothing. Whatever is in
# neither may be billed without saying so in its answer: batches, pictures, sound, calls, agents in the vendor's cloud.
_COUNTED = re.compile(
    rb"(/v1|/v1beta/openai|/compatible-mode/v1|/backend-api/[a-z]+)?/(messages|responses(/compact)?|(chat/)?completions"
    rb"|embeddings)|/v1/engines/[^/:]+/completions|(/v\w+/(models|tunedmodels)/[^/:]+|/v1internal):(stream)?generatecontent"
)
_FREE_METHODS = _READING | {b"DELETE"}
_FREE = {
    "anthropic": rb"/v1/messages/batches/[^/]+/cancel|/v1/oauth/token",
    "openai": rb"/v1/(moderations|batches/[^/]+/cancel|uploads(/[^/]+/(parts|complete|cancel))?"
    rb"|conversations(/[^/]+(/items)?)?|responses/(input_tokens|[^/]+/cancel))",
    "gemini": rb"/v\w+/models/[^/:]+:count(text|message)?tokens|(/upload)?/v\w+(/openai)?/files",
}
_FREE_EVERYWHERE = rb"/v1/messages/count_tokens|(/compatible-mode)?/v1/files"


def _free_paths(api: Api) -> re.Pattern[bytes]:
    """What costs nothing at an API's hosts, with what the agents' own files say of them."""
    told = (
        lent.free.encode()
        for lent in LENT.values()
        if lent.free and any(HOSTS.get(host.replace("*", "x")) is api for host in lent.credential.hosts)
    )
    return re.compile(b"|".join((_FREE_EVERYWHERE, _FREE[api.name], *told)))


_FREE_PATHS = {name: _free_paths(api) for name, api in APIS.items()}
_MODEL = re.compile(rb"/models/([\w.-]{1,128}):")


# Longer targets are looked at each time, so that nobody fills the memory with them.
_LONGEST_KEPT = 256


def route(api: Api, method: bytes, target: bytes, upgrade: bool) -> tuple[Dialect, str] | None:
    """For a request that a model answers, its dialect and the model that its path names; None for all others."""
    find = _route if len(target) <= _LONGEST_KEPT else _route.__wrapped__
    return find(api, method, target, upgrade)


@functools.lru_cache(maxsize=256)
def _route(api: Api, method: bytes, target: bytes, upgrade: bool) -> tuple[Dialect, str] | None:
    return (dialect(api, target), model_named(target)) if asked(method, target, upgrade) else None


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


def uncounted(api: Api, head: RequestHead) -> bool:
    """Whether nobody knows that a request is counted or free, in every way that a server may read it."""
    target = b"?".join(part for part in split_target(head.target) if part)
    if head.upgrade and head.upgrade.lower() != b"websocket":
        return True  # nobody reads what follows
    paths = _paths(target)
    if _asks(head.method, bool(head.upgrade)) and paths and all(map(_COUNTED.fullmatch, paths)):
        return False
    if head.upgrade or read_only.override(target, read_only.fields_of(head)) is not None:
        return True
    if head.method in _FREE_METHODS:
        return False
    free = _FREE_PATHS[api.name]
    return not paths or not all(_COUNTED.fullmatch(path) or free.fullmatch(path) for path in paths)


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
