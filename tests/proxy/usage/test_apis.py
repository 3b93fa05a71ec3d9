"""Which requests count as a model's."""

from __future__ import annotations

import pytest

from clauderon.proxy.usage.apis import ANTHROPIC, GEMINI, OPENAI, Api, asked


@pytest.mark.parametrize(
    ("api", "method", "target", "upgrade", "expected"),
    [
        (ANTHROPIC, b"POST", b"/v1/messages?beta=true", False, True),
        (ANTHROPIC, b"POST", b"/v1/messages/", False, True),
        (ANTHROPIC, b"POST", b"/v1/messages/count_tokens", False, False),
        (ANTHROPIC, b"GET", b"/v1/messages", False, False),
        (ANTHROPIC, b"POST", b"/v1/complete?x=/v1/messages", False, False),
        (OPENAI, b"POST", b"/v1/responses", False, True),
        (OPENAI, b"POST", b"/v1/chat/completions", False, True),
        (OPENAI, b"POST", b"/backend-api/codex/responses", False, True),
        (OPENAI, b"GET", b"/v1/responses", True, True),
        (OPENAI, b"GET", b"/v1/responses", False, False),
        (OPENAI, b"GET", b"/v1/models", True, False),
        (GEMINI, b"POST", b"/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse", False, True),
        (GEMINI, b"POST", b"/v1internal:generateContent", False, True),
        (GEMINI, b"POST", b"/v1beta/models/gemini-3-pro:countTokens", False, False),
    ],
)
def test_a_models_requests(api: Api, method: bytes, target: bytes, upgrade: bool, expected: bool) -> None:
    assert asked(api, method, target, upgrade) is expected
