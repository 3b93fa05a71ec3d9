"""A refusal that a person, a script and an agent can read, and that no input can break out of."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.proxy.http.problem import H2_GOAWAY, Problem, render

REFUSED = Problem.by_policy(
    403, "host-not-allowed", "allow", "evil.test is not allowed", "clauderon config show"
)


def test_a_refusal_of_policy_is_told_from_a_failure() -> None:
    assert (REFUSED.refused, REFUSED.rule) == (True, "allow")
    assert not Problem(502, "x", "y").refused


def test_as_text_it_has_the_cause_and_a_hint() -> None:
    head, body = render(REFUSED).split(b"\r\n\r\n")
    assert body == b"clauderon: evil.test is not allowed\nrule: allow\nhint: clauderon config show\n"
    assert head.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert b"X-Clauderon-Refusal: host-not-allowed" in head and b"Connection: close" in head


def test_as_json_it_is_what_a_models_client_reads() -> None:
    answer = json.loads(render(REFUSED, shape="anthropic").split(b"\r\n\r\n")[1])
    assert answer["type"] == "error"
    assert answer["error"] == {
        "type": "permission_error",
        "code": "host-not-allowed",
        "message": "clauderon: evil.test is not allowed. rule: allow. hint: clauderon config show",
    }


def test_a_refused_connect_says_the_cause_in_its_status_line() -> None:
    assert render(REFUSED, method=b"CONNECT").startswith(b"HTTP/1.1 403 evil.test is not allowed\r\n")


def test_an_answer_to_head_has_no_body_and_says_its_length() -> None:
    head, body = render(REFUSED, method=b"HEAD", close=False).split(b"\r\n\r\n")
    assert body == b"" and b"Content-Length: 76" in head and b"close" not in head


@given(st.text(), st.text(), st.sampled_from([b"GET", b"CONNECT"]), st.booleans())
def test_no_words_make_another_header(what: str, fix: str, method: bytes, as_json: bool) -> None:
    wire = render(Problem(502, "x", what, fix), method=method, shape="anthropic" if as_json else "")
    head, _, body = wire.partition(b"\r\n\r\n")
    assert [line.split(b":")[0] for line in head.split(b"\r\n")[1:]] == [
        b"Content-Type", b"Content-Length", b"Cache-Control", b"X-Clauderon-Refusal", b"Connection",
    ]  # fmt: skip
    assert f"Content-Length: {len(body)}\r\n".encode() in wire


@pytest.mark.parametrize("at", [0, 9])
def test_the_goodbye_in_http2_is_two_frames_of_their_length(at: int) -> None:
    length = int.from_bytes(H2_GOAWAY[at : at + 3], "big")
    assert (H2_GOAWAY[at + 3], length) == ((4, 0), (7, len(H2_GOAWAY) - 18))[at == 9]
