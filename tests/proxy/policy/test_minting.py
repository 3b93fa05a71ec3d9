"""No host is asked for a secret of the container's own."""

from __future__ import annotations

import pytest

from clauderon.proxy.policy.minting import is_minting
from tests.proxy.rig import Rig

KEY = "/api/oauth/claude_cli/create_api_key"
COPILOT = "/copilot_internal/v2/token"
ENROLL = "/backend-api/wham/remote/control/server/enroll"


@pytest.mark.parametrize(
    ("host", "target", "expected"),
    [
        ("api.anthropic.com", KEY, True),
        ("api.anthropic.com", "/api/oauth/claude_cli/create_api_ke%79?x", True),
        ("api.anthropic.com", "/api//oauth/claude_cli/x/../create_api_key", True),
        ("api.anthropic.com", f"https://api.anthropic.com{KEY}", True),
        ("api.anthropic.com", "https://api.anthropic.com/v1/oauth/token", True),
        ("api.anthropic.com", "/%00" + KEY, True),
        ("api.anthropic.com", "/api/oauth/profile", False),
        ("api.anthropic.com", "/api/oauth/usage?token=1", False),
        ("api.anthropic.com", "/v1/messages/count_tokens", False),
        ("api.github.com", COPILOT, True),
        ("api.github.com", "/copilot_internal/user", False),
        ("api.github.com", "/repos/o/r/contents/token", False),
        ("api.github.com", "/repos/o/r/actions/runners/registration-token", True),
        ("api.github.com", "/app/installations/1/access_tokens", True),
        ("api.anthropic.com", "/v1/environments/bridge", True),
        ("api.anthropic.com", "/v1/environments/e_1/work/poll?beta=true", True),
        ("api.anthropic.com", "/v1/code/sessions/cse_1/bridge", True),
        ("chatgpt.com", ENROLL, True),
        ("chatgpt.com", "/backend-api/wham/remote%2Fcontrol/server/refresh", True),
        ("chatgpt.com", "/backend-api/wham/remote/control/server", True),
        ("chatgpt.com", "/backend-api/wham/usage", False),
        ("chatgpt.com", "/backend-api/codex/responses", False),
        ("other.test", KEY, False),
    ],
)
def test_which_requests_are_answered_with_a_secret(host: str, target: str, expected: bool) -> None:
    assert is_minting(host, target.encode()) is expected


@pytest.mark.parametrize("host", ["api.openai.com", "generativelanguage.googleapis.com", "gateway.test"])
@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/v1/realtime/client_secrets", True),
        ("/v1/realtime/sessions", True),
        ("/v1/realtime/transcription_sessions", True),
        ("/v1/realtime/translations/client_secrets", True),
        ("/v1/chatkit/sessions", True),
        ("/v1//realtime/sessions", True),
        ("/v1/realtime%2Fclient_secret%73?x", True),
        ("/V1/Realtime/Client_Secrets/", True),
        ("/v1/x/../realtime/sessions", True),
        ("https://api.openai.com/v1/realtime/sessions", True),
        ("/%00", True),
        ("/v1/organization/projects/p_1/service_accounts", True),
        ("/v1/organization/admin_api_keys", True),
        ("/v1alpha/auth_tokens", True),
        ("/v1alpha/authTokens", True),
        ("/v1beta/models/x:generateToken", True),
        ("/v1/messages/count_tokens", False),
        ("/v1/responses/input_tokens", False),
        ("/v1beta/models/gemini-3-pro:countTokens", False),
        ("/v1internal:countTokens", False),
        ("/v1/responses?include=tokens", False),
        ("/v1/files/file-token1", False),
        ("/v1/realtime/calls", False),
        ("/v1/models", False),
    ],
)
def test_which_requests_a_model_api_answers_with_a_secret(host: str, target: str, expected: bool) -> None:
    assert is_minting(host, target.encode(), models=True) is expected


@pytest.mark.parametrize(
    ("method", "host", "path"),
    [
        ("POST", "api.anthropic.com", KEY),
        ("GET", "api.github.com", COPILOT),
        ("POST", "chatgpt.com", ENROLL),
        ("POST", "api.openai.com", "/v1/realtime/client_secrets"),
        ("POST", "api.openai.com", "/v1/realtime/sessions"),
        ("POST", "api.openai.com", "/v1/chatkit/sessions"),
        ("POST", "generativelanguage.googleapis.com", "/v1alpha/auth_tokens"),
    ],
)
def test_a_key_made_of_a_login_does_not_get_into_a_container(
    rig: Rig, method: str, host: str, path: str
) -> None:
    """Seen to fail without the judge's question: the new key was in the answer, and the mask does not know it."""
    upstream = rig.upstream(host, b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nsk-ant-new-1")
    rig.grants.add(host, header=b"authorization", model_api=host != "api.github.com")
    request = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    head, body = rig.ask(request, host)
    assert head.startswith(b"HTTP/1.1 403") and b"sk-ant-new-1" not in body
    assert b"x-clauderon-refusal: mints" in head.lower() and not upstream.peers
