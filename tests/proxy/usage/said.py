"""What model APIs say of a known usage, in each of their shapes: the makers of the tests' answers."""

from __future__ import annotations

import gzip
import itertools
import json
import zlib
from typing import Any

from clauderon.proxy.usage.amounts import Usage
from clauderon.proxy.usage.dialects import Dialect
from clauderon.proxy.usage.reader import Answer


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def sse(*events: tuple[str, Any], end: bytes = b"\n") -> bytes:
    parts = []
    for name, data in events:
        text = data if isinstance(data, bytes) else compact(data)
        parts.append((b"event: " + name.encode() + end if name else b"") + b"data: " + text + end + end)
    return b"".join(parts)


def anthropic_usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write + usage.cache_write_1h,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        },
        "output_tokens": usage.output,
        "service_tier": "standard",
    }


def anthropic_json(usage: Usage) -> bytes:
    return compact({"type": "message", "model": usage.model, "content": [], "usage": anthropic_usage(usage)})


def anthropic_stream(usage: Usage, end: bytes = b"\n") -> bytes:
    start = {"type": "message", "model": usage.model, "usage": anthropic_usage(usage._replace(output=1))}
    delta = {
        "type": "content_block_delta",
        "delta": {"type": "text_delta", "text": 'the "usage" is 7\n\n{"usage":1}'},
    }
    return sse(
        ("message_start", {"type": "message_start", "message": start}),
        ("ping", {"type": "ping"}),
        ("content_block_delta", delta),
        ("message_delta", {"type": "message_delta", "delta": {}, "usage": {"output_tokens": usage.output}}),
        ("message_stop", {"type": "message_stop"}),
        end=end,
    )


def response_usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input + usage.cache_read,
        "input_tokens_details": {"cached_tokens": usage.cache_read},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.output // 2},
        "total_tokens": usage.input + usage.cache_read + usage.output,
    }


def responses_json(usage: Usage) -> bytes:
    return compact({"object": "response", "model": usage.model, "output": [], "usage": response_usage(usage)})


def responses_events(usage: Usage) -> list[dict[str, Any]]:
    return [
        {"type": "response.created", "response": {"model": usage.model, "usage": None}},
        {"type": "response.output_text.delta", "delta": 'my "usage" of words'},
        {"type": "response.completed", "response": {"model": usage.model, "usage": response_usage(usage)}},
    ]


def responses_stream(usage: Usage, end: bytes = b"\n") -> bytes:
    return sse(*((event["type"], event) for event in responses_events(usage)), end=end)


def chat_usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input + usage.cache_read,
        "completion_tokens": usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read},
    }


def chat_json(usage: Usage) -> bytes:
    return compact({"object": "chat.completion", "model": usage.model, "usage": chat_usage(usage)})


def chat_stream(usage: Usage, end: bytes = b"\n") -> bytes:
    chunk = {
        "object": "chat.completion.chunk",
        "model": usage.model,
        "choices": [{"delta": {"content": "hi"}}],
    }
    last = {**chunk, "choices": [], "usage": chat_usage(usage)}
    return sse(("", {**chunk, "usage": None}), ("", last), ("", b"[DONE]"), end=end)


def gemini_part(usage: Usage) -> dict[str, Any]:
    return {
        "candidates": [{"content": {"parts": [{"text": "usage"}]}}],
        "usageMetadata": {
            "promptTokenCount": usage.input + usage.cache_read,
            "cachedContentTokenCount": usage.cache_read,
            "candidatesTokenCount": usage.output // 2,
            "thoughtsTokenCount": usage.output - usage.output // 2,
        },
        "modelVersion": usage.model,
    }


def gemini_json(usage: Usage) -> bytes:
    return compact(gemini_part(usage))


def gemini_array(usage: Usage) -> bytes:
    return json.dumps([gemini_part(usage._replace(output=0)), gemini_part(usage)], indent=2).encode()


def gemini_stream(usage: Usage, end: bytes = b"\n") -> bytes:
    return sse(("", gemini_part(usage._replace(output=usage.output // 3))), ("", gemini_part(usage)), end=end)


def code_assist_stream(usage: Usage, end: bytes = b"\n") -> bytes:
    return sse(("", {"response": gemini_part(usage)}), end=end)


def coded(body: bytes, coding: str) -> bytes:
    if coding == "gzip":
        return gzip.compress(body)
    return zlib.compress(body) if coding == "deflate" else body


def pieces(body: bytes, cuts: list[int]) -> list[bytes]:
    """The body in pieces that end at these offsets."""
    places = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    return [body[a:b] for a, b in itertools.pairwise(places)]


def read(
    dialect: Dialect, streamed: bool, parts: list[bytes], coding: str = "", complete: bool = True
) -> Usage:
    answer = Answer(dialect, streamed, coding)
    for part in parts:
        answer.feed(part)
    return answer.end(complete)
