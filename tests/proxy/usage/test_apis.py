"""Which requests count as a model's."""

from __future__ import annotations

import pytest

from clauderon.proxy.usage import dialects
from clauderon.proxy.usage.apis import ANTHROPIC, GEMINI, HOSTS, OPENAI, asked, dialect, uncounted


@pytest.mark.parametrize(
    ("method", "target", "upgrade", "expected"),
    [
        (b"POST", b"/v1/messages?beta=true", False, True),
        (b"POST", b"/v1/messages/", False, True),
        (b"POST", b"/v1/messages/count_tokens", False, False),
        (b"GET", b"/v1/messages", False, False),
        # As some server reads it: each of these passed uncounted, and no budget stopped it.
        (b"POST", b"/v1/message%73", False, True),
        (b"POST", b"/v1/message%2573", False, True),
        (b"POST", b"/v1//messages", False, True),
        (b"POST", b"/v1/./messages", False, True),
        (b"POST", b"/v1/messages/.", False, True),
        (b"POST", b"/v1/x/../messages", False, True),
        (b"POST", b"/v1/messages/x/..", False, True),
        (b"POST", b"/v1\\messages", False, True),
        (b"POST", b"/v1/messages;x", False, True),
        (b"POST", b"/v1/messages%3Fx", False, True),
        (b"POST", b"/a%3F/../v1/messages", False, True),
        (b"POST", b"/%00/v1/messages/x", False, True),
        (b"POST", b"/V1/Messages", False, True),
        (b"POST", b"https://api.anthropic.com/v1/messages", False, True),
        (b"post", b"/v1/messages", False, True),
        (b"PUT", b"/v1/messages", False, True),
        (b"POST", b"/v1beta/models/gemini-3-pro%3AgenerateContent", False, True),
        (b"POST", b"/v1/complete?x=/v1/messages", False, False),
        (b"POST", b"/v1/responses", False, True),
        (b"POST", b"/v1/chat/completions", False, True),
        (b"POST", b"/backend-api/codex/responses", False, True),
        (b"GET", b"/v1/responses", True, True),
        (b"GET", b"/v1/responses", False, False),
        (b"GET", b"/v1/models", True, False),
        (b"POST", b"/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse", False, True),
        (b"POST", b"/v1internal:generateContent", False, True),
        (b"POST", b"/v1beta/models/gemini-3-pro:countTokens", False, False),
    ],
)
def test_a_models_requests(method: bytes, target: bytes, upgrade: bool, expected: bool) -> None:
    assert asked(method, target, upgrade) is expected


@pytest.mark.parametrize(
    "target", [b"/v1/messages/batche%73", b"/v1/messages//batches", b"/v1/messages/batches/."]
)
def test_what_cannot_be_counted_is_known_in_every_spelling(target: bytes) -> None:
    assert uncounted(ANTHROPIC, b"POST", target) and not uncounted(ANTHROPIC, b"GET", target)


def test_an_api_that_speaks_anothers_dialect_is_understood() -> None:
    """Anthropic and Gemini answer Chat Completions, Copilot answers Messages: none of these was counted."""
    assert dialect(ANTHROPIC, b"/v1/chat/completions") is dialects.openai
    assert dialect(GEMINI, b"/v1beta/openai/chat/completions") is dialects.openai
    assert dialect(OPENAI, b"/v1/messages?beta=true") is dialects.anthropic
    assert dialect(GEMINI, b"/v1beta/models/x:generateContent") is dialects.gemini


def test_a_host_below_one_that_is_counted_is_counted_too() -> None:
    """Seen to fail: `*.githubcopilot.com` was looked for as a host of that name."""
    assert HOSTS["api.individual.githubcopilot.com"] is OPENAI and HOSTS["api.githubcopilot.com"] is OPENAI
    assert not {"githubcopilot.com", "xgithubcopilot.com", "x.api.anthropic.com", "localhost"} & {
        host
        for host in ("githubcopilot.com", "xgithubcopilot.com", "x.api.anthropic.com", "localhost")
        if host in HOSTS
    }
