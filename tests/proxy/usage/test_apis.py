"""Which requests count as a model's."""

from __future__ import annotations

import pytest

from clauderon.proxy.usage.apis import ANTHROPIC, GEMINI, OPENAI, Api, asked, uncounted


@pytest.mark.parametrize(
    ("api", "method", "target", "upgrade", "expected"),
    [
        (ANTHROPIC, b"POST", b"/v1/messages?beta=true", False, True),
        (ANTHROPIC, b"POST", b"/v1/messages/", False, True),
        (ANTHROPIC, b"POST", b"/v1/messages/count_tokens", False, False),
        (ANTHROPIC, b"GET", b"/v1/messages", False, False),
        # As some server reads it: each of these passed uncounted, and no budget stopped it.
        (ANTHROPIC, b"POST", b"/v1/message%73", False, True),
        (ANTHROPIC, b"POST", b"/v1/message%2573", False, True),
        (ANTHROPIC, b"POST", b"/v1//messages", False, True),
        (ANTHROPIC, b"POST", b"/v1/./messages", False, True),
        (ANTHROPIC, b"POST", b"/v1/messages/.", False, True),
        (ANTHROPIC, b"POST", b"/v1/x/../messages", False, True),
        (ANTHROPIC, b"POST", b"/v1/messages/x/..", False, True),
        (ANTHROPIC, b"POST", b"/v1\\messages", False, True),
        (ANTHROPIC, b"POST", b"/v1/messages;x", False, True),
        (ANTHROPIC, b"POST", b"/v1/messages%3Fx", False, True),
        (ANTHROPIC, b"POST", b"/a%3F/../v1/messages", False, True),
        (ANTHROPIC, b"POST", b"/%00/v1/messages/x", False, True),
        (ANTHROPIC, b"POST", b"/V1/Messages", False, True),
        (ANTHROPIC, b"POST", b"https://api.anthropic.com/v1/messages", False, True),
        (ANTHROPIC, b"post", b"/v1/messages", False, True),
        (ANTHROPIC, b"PUT", b"/v1/messages", False, True),
        (GEMINI, b"POST", b"/v1beta/models/gemini-3-pro%3AgenerateContent", False, True),
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


@pytest.mark.parametrize(
    "target", [b"/v1/messages/batche%73", b"/v1/messages//batches", b"/v1/messages/batches/."]
)
def test_what_cannot_be_counted_is_known_in_every_spelling(target: bytes) -> None:
    assert uncounted(ANTHROPIC, b"POST", target) and not uncounted(ANTHROPIC, b"GET", target)
