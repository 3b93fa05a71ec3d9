"""Which requests count as a model's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.proxy.http.request import RequestHead, parse_request, request_table
from clauderon.proxy.policy import fine_rules
from clauderon.proxy.secrets.grants import ALWAYS_REMOVED
from clauderon.proxy.usage import dialects
from clauderon.proxy.usage.apis import ANTHROPIC, APIS, GEMINI, HOSTS, OPENAI, Api, asked, dialect, uncounted


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
        (b"POST", b"/v1internal:streamGenerateContent?alt=sse", False, True),
        (b"POST", b"/v1internal:loadCodeAssist", False, False),
    ],
)
def test_a_models_requests(method: bytes, target: bytes, upgrade: bool, expected: bool) -> None:
    assert asked(method, target, upgrade) is expected


def head(method: bytes, target: bytes, *fields: bytes) -> RequestHead:
    wire = b"\r\n".join([b"%b %b HTTP/1.1" % (method, target), b"Host: x", *fields, b"", b""])
    return parse_request(wire, request_table(ALWAYS_REMOVED))


WEBSOCKET = (b"Connection: Upgrade", b"Upgrade: websocket")


@pytest.mark.parametrize(
    ("api", "method", "target"),
    [
        (ANTHROPIC, b"POST", b"/v1/messages?beta=true"),
        (ANTHROPIC, b"POST", b"/v1/messages/count_tokens"),
        (ANTHROPIC, b"POST", b"https://api.anthropic.com/v1/messages/count_tokens?beta=true"),
        (ANTHROPIC, b"POST", b"/api/event_logging/v2/batch"),
        (ANTHROPIC, b"GET", b"/v1/models"),
        (ANTHROPIC, b"GET", b"/v1/messages/batches/b_1/results"),
        (ANTHROPIC, b"DELETE", b"/v1/files/f_1"),
        (OPENAI, b"POST", b"/v1/responses"),
        (OPENAI, b"POST", b"/v1/responses/resp_1/cancel"),
        (OPENAI, b"POST", b"/backend-api/codex/responses/compact"),
        (OPENAI, b"POST", b"/backend-api/codex/analytics-events/events"),
        (OPENAI, b"POST", b"/mcp/readonly"),
        (OPENAI, b"POST", b"/mcp/x/pull_requests/readonly"),
        (OPENAI, b"OPTIONS", b"*"),
        (GEMINI, b"POST", b"/v1beta/models/gemini-3-pro:countTokens"),
        (GEMINI, b"POST", b"/v1beta/models/gemini-3-pro%3AcountTokens"),
        (GEMINI, b"POST", b"/v1internal:loadCodeAssist"),
        (GEMINI, b"POST", b"/v1internal:streamGenerateContent?alt=sse"),
        (GEMINI, b"POST", b"/upload/v1beta/files?uploadType=resumable"),
    ],
)
def test_what_is_counted_or_free_is_known(api: Api, method: bytes, target: bytes) -> None:
    assert not uncounted(api, head(method, target))


@pytest.mark.parametrize(
    ("api", "method", "target"),
    [
        *(
            (api, method, b"/v1/anything_else")
            for api in APIS.values()
            for method in (b"POST", b"PUT", b"PATCH")
        ),
        (ANTHROPIC, b"POST", b"/v1/messages/batche%73"),
        (ANTHROPIC, b"POST", b"/v1/messages//batches"),
        (ANTHROPIC, b"POST", b"/v1/messages/batches/."),
        (ANTHROPIC, b"POST", b"/v1/messages/count_tokens/../batches"),
        (ANTHROPIC, b"POST", b"/v1/messages%2fcount_tokens%2f..%2fbatches"),
        (ANTHROPIC, b"POST", b"/v1/batches;/v1/messages"),
        (ANTHROPIC, b"POST", b"/v1/batches/v1/messages"),
        (ANTHROPIC, b"POST", b"/v1/batches%3F/v1/messages"),
        (ANTHROPIC, b"POST", b"/v1/batches?/v1/messages/count_tokens"),
        (ANTHROPIC, b"POST", b"/%00/v1/messages/count_tokens"),
        (ANTHROPIC, b"POST", b"/v1/deployments"),
        (ANTHROPIC, b"POST", b"/api/oauth/organizations/o/prepaid/credits"),
        (ANTHROPIC, b"get", b"/v1/models"),
        (ANTHROPIC, b"BREW", b"/v1/models"),
        (OPENAI, b"POST", b"/v1/evals/e/runs"),
        (OPENAI, b"POST", b"/v1/containers"),
        (OPENAI, b"POST", b"/v1/fine_tuning/jobs"),
        (OPENAI, b"POST", b"/v1/vector_stores"),
        (OPENAI, b"POST", b"/v1/realtime/calls"),
        (OPENAI, b"POST", b"/backend-api/codex/rate-limit-reset-credits/consume"),
        (GEMINI, b"POST", b"/batch"),
        (GEMINI, b"POST", b"/batch/v1beta"),
        (GEMINI, b"POST", b"/v1beta/cachedContents"),
        (GEMINI, b"POST", b"/v1beta/models/x:predict"),
        (GEMINI, b"POST", b"/v1beta/models/x:batchGenerateContent"),
        (GEMINI, b"POST", b"/v1beta/models/x:countTokens:batchGenerateContent"),
        (GEMINI, b"POST", b"/v1beta/dynamic/x:generateText"),
        (GEMINI, b"POST", b"/v1internal:generateCode"),
    ],
)
def test_what_nobody_knows_to_be_free_is_uncounted(api: Api, method: bytes, target: bytes) -> None:
    """Seen to fail with a list of what is billed: `/v1/evals/e/runs`, `/v1/containers`, `/batch` and more passed."""
    assert uncounted(api, head(method, target))


@given(
    st.sampled_from(list(APIS.values())),
    st.lists(st.sampled_from(["v1", "v1beta", "messages", "count_tokens", "files", "batches", "responses", "..", ".", "", "%2e%2e", "%2F", ";", "models", "x:countTokens", "x:predict"]), max_size=7),
)  # fmt: skip
def test_a_path_that_can_be_read_in_two_ways_is_known_only_if_both_are(api: Api, segments: list[str]) -> None:
    """Whichever reading the server takes, it is a path that is counted or free. Seen to fail with `any` for `all`."""
    target = ("/" + "/".join(segments)).encode()
    if not uncounted(api, head(b"POST", target)):
        known = (b"/messages", b"/count_tokens", b"/files", b"/responses", b":counttokens")
        assert all(path.rstrip(b"/").lower().endswith(known) for path in fine_rules.readings(target))


@pytest.mark.parametrize(
    ("request_head", "expected"),
    [
        (head(b"GET", b"/v1/responses", *WEBSOCKET), False),
        (head(b"GET", b"/v1/realtime?model=gpt-realtime", *WEBSOCKET), True),
        (head(b"GET", b"/v1/models", *WEBSOCKET), True),
        (head(b"GET", b"/v1/models", b"Connection: Upgrade", b"Upgrade: x-other"), True),
        (head(b"GET", b"/v1/responses", b"Connection: Upgrade", b"Upgrade: x-other"), True),
        (head(b"GET", b"/v1/messages", b"X-HTTP-Method-Override: POST"), True),
        (head(b"DELETE", b"/v1/files/f", b"X-HTTP-Method: POST"), True),
        (head(b"GET", b"/v1/batches?_method=POST"), True),
    ],
)
def test_a_request_that_becomes_another_is_known_only_as_a_websocket_that_is_counted(
    request_head: RequestHead, expected: bool
) -> None:
    """Seen to fail: after an upgrade at `/v1/models` whatever followed was asked of the model uncounted."""
    assert uncounted(OPENAI, request_head) is expected


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
