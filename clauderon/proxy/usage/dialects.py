"""How each model API says what was used, given its JSON as Python objects. Pure.

Sources: Anthropic's Messages API (usage object; streaming: `message_start`, `message_delta`), OpenAI's Responses and
Chat Completions, Gemini's `UsageMetadata`. Each function takes what is known so far and one message, and returns what
is known after it; it raises Malformed for a count that is no count, and whatever Python does for an odd shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from clauderon.proxy.usage.amounts import Malformed, Usage, count

Message = Mapping[str, Any]


class Reading(NamedTuple):
    """usage: the tokens so far; last: whether the API has said its last word about this answer."""

    usage: Usage
    last: bool = False


Dialect = Callable[[Reading, Message], Reading]
NOTHING_READ = Reading(Usage())


def anthropic(so_far: Reading, message: Message) -> Reading:
    """A Messages answer, or one event of its stream. Counts in `message_delta` are totals, and may be fewer fields."""
    kind = message.get("type")
    if kind == "message_start":
        return Reading(_anthropic_usage(so_far.usage, message["message"]))
    if kind == "message_delta":
        return Reading(_anthropic_usage(so_far.usage, message), last=True)
    if kind == "message":
        return Reading(_anthropic_usage(so_far.usage, message), last=True)
    return so_far


def _anthropic_usage(so_far: Usage, message: Message) -> Usage:
    said = message.get("usage")
    if not isinstance(said, dict):
        raise Malformed("usage")
    usage = so_far._replace(
        model=model_name(message.get("model")) or so_far.model,
        input=count(said, "input_tokens") if "input_tokens" in said else so_far.input,
        cache_read=count(said, "cache_read_input_tokens")
        if "cache_read_input_tokens" in said
        else so_far.cache_read,
        output=count(said, "output_tokens") if "output_tokens" in said else so_far.output,
        times=_FAST if said.get("speed") == "fast" else so_far.times,
    )
    if "cache_creation_input_tokens" in said:
        written = count(said, "cache_creation_input_tokens")
        parts = said.get("cache_creation")
        # Without the parts it is the usual cache of five minutes; a total seen again keeps the parts seen before.
        if parts is not None:
            hour = min(count(parts, "ephemeral_1h_input_tokens"), written)
        else:
            hour = min(usage.cache_write_1h, written)
        usage = usage._replace(cache_write=written - hour, cache_write_1h=hour)
    return usage


# As often as the list price, at most: Anthropic's fast mode, OpenAI's priority processing.
_FAST, _PRIORITY = 6, 2
# No model answers with more.
_MOST_OUTPUT = 128_000
_OPENAI_FIRST = ("response.created", "response.queued", "response.in_progress")
_OPENAI_LAST = ("response.completed", "response.incomplete", "response.failed")


def openai(so_far: Reading, message: Message) -> Reading:
    """A Responses or Chat Completions answer, or one event of either's stream."""
    answer = message
    kind = message.get("type")
    if isinstance(kind, str) and kind.startswith("response."):
        if kind not in (*_OPENAI_FIRST, *_OPENAI_LAST):
            return so_far
        answer = message["response"]
    if answer.get("background") is True and answer.get("status") in ("queued", "in_progress"):
        # The answer is asked for later, by a GET, or never.
        most = count(answer, "max_output_tokens") or _MOST_OUTPUT
        return Reading(Usage(model=model_name(answer.get("model")), coming=most))
    said = answer.get("usage")
    if kind in _OPENAI_FIRST or said is None:
        return _naming(so_far, answer.get("model"))
    if not isinstance(said, dict):
        raise Malformed("usage")
    new = "input_tokens" in said
    whole = count(said, "input_tokens" if new else "prompt_tokens")
    details = said.get("input_tokens_details" if new else "prompt_tokens_details")
    cached = min(count(details, "cached_tokens"), whole)
    usage = Usage(
        model=model_name(answer.get("model")) or so_far.usage.model,
        input=whole - cached,
        cache_read=cached,
        output=count(said, "output_tokens" if new else "completion_tokens"),
        times=_PRIORITY if answer.get("service_tier") == "priority" else 1,
    )
    return Reading(usage, last=True)


def gemini(so_far: Reading, message: Message) -> Reading:
    """A GenerateContentResponse, whole or a part of its stream (each part has the totals so far).

    Code Assist, which a Gemini login uses, wraps it in `response`.
    """
    wrapped = message.get("response")
    answer = wrapped if isinstance(wrapped, dict) else message
    said = answer.get("usageMetadata")
    if said is None:
        return _naming(so_far, answer.get("modelVersion"))
    if not isinstance(said, dict):
        raise Malformed("usageMetadata")
    prompt = count(said, "promptTokenCount")
    cached = min(count(said, "cachedContentTokenCount"), prompt)
    usage = Usage(
        model=model_name(answer.get("modelVersion")) or so_far.usage.model,
        input=prompt - cached + count(said, "toolUsePromptTokenCount"),
        cache_read=cached,
        output=count(said, "candidatesTokenCount") + count(said, "thoughtsTokenCount"),
    )
    return Reading(usage, last=True)


def _naming(so_far: Reading, name: object) -> Reading:
    """An answer that breaks off has at least its model's name from a message without usage."""
    named = so_far.usage.model or model_name(name)
    return so_far._replace(usage=so_far.usage._replace(model=named))


def model_name(value: object) -> str:
    """A model's name as far as a table or a file could hold one."""
    return value[:128] if isinstance(value, str) and value.isprintable() else ""
