"""Requests that would spend and say nothing of it: nothing goes round a budget, and what is free goes on."""

from __future__ import annotations

import threading
import time

import pytest

from clauderon.limits import NANO
from clauderon.proxy.usage.meter import Meter
from tests.proxy.peers import Peer
from tests.proxy.rig import Rig
from tests.proxy.test_budgets import CENTS, limit, meter
from tests.proxy.usage import said
from tests.proxy.usage.test_meter import ASK

__all__ = ["meter"]


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("api.anthropic.com", b"/v1/chat/completions"),
        ("generativelanguage.googleapis.com", b"/v1beta/openai/chat/completions"),
        ("api.individual.githubcopilot.com", b"/chat/completions"),
        ("api.githubcopilot.com", b"/v1/messages"),
        ("api.anthropic.com", b"/v1/message%73"),
    ],
)
def test_no_other_way_to_the_same_model_goes_round_a_budget(
    rig: Rig, meter: Meter, host: str, path: bytes
) -> None:
    """Seen to fail in each of these ways: the answer came, and was not even counted."""
    rig.upstream(host, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    limit(meter, CENTS)
    meter.spending.spend("one", "", CENTS)
    head, _ = rig.ask(ASK % (path, host.encode()), host)
    assert b"budget" in head and head[9:10] == b"4"


def test_what_costs_nothing_goes_on(rig: Rig, meter: Meter) -> None:
    rig.upstream("api.anthropic.com", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    limit(meter, CENTS)
    meter.spending.spend("one", "", CENTS)
    free = [
        ASK % (path, b"api.anthropic.com")
        for path in (b"/v1/messages/count_tokens", b"/api/event_logging/batch")
    ]
    for request in (*free, b"GET /api/oauth/profile HTTP/1.1\r\nHost: api.anthropic.com\r\n\r\n"):
        assert rig.ask(request, "api.anthropic.com")[0].startswith(b"HTTP/1.1 200")


def test_a_request_pipelined_behind_a_free_one_is_judged_as_any(rig: Rig, meter: Meter) -> None:
    """Seen to fail where the judge asked for the first request of a connection alone."""
    host = b"api.anthropic.com"
    upstream = rig.upstream(host.decode(), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    limit(meter, CENTS)
    meter.spending.spend("one", "", CENTS)
    client = rig.tunnel(host.decode())
    client.send(b"GET /v1/models HTTP/1.1\r\nHost: %b\r\n\r\n%b" % (host, ASK % (b"/v1/messages", host)))
    assert [client.message()[0][9:12] for _ in range(2)] == [b"200", b"402"]
    assert b"/v1/messages" not in upstream.seen


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("api.anthropic.com", b"/v1/messages/batches"),
        ("api.openai.com", b"/v1/batches"),
        ("api.openai.com", b"/v1/images/generations"),
        ("api.openai.com", b"/v1/threads/thread_1/runs"),
        ("api.openai.com", b"/v1/audio/speech?x=1"),
        ("api.anthropic.com", b"/v1/sessions"),
        ("api.anthropic.com", b"/v1/sessions/session_1/events"),
        ("api.openai.com", b"/v1/videos/edits"),
        ("api.openai.com", b"/v1/realtime/calls/rtc_u1-x/accept"),
        ("chatgpt.com", b"/backend-api/wham/tasks"),
        ("api.individual.githubcopilot.com", b"/agents/swe/v1/jobs/owner/repo"),
        # Its tools start an agent in the vendor's cloud.
        ("api.individual.githubcopilot.com", b"/mcp"),
        ("api.githubcopilot.com", b"/mcp/x/copilot"),
        ("generativelanguage.googleapis.com", b"/v1beta/openai/images/generations"),
        ("generativelanguage.googleapis.com", b"/v1beta/models/veo:predictLongRunning"),
        ("generativelanguage.googleapis.com", b"/v1beta/models/x:batchGenerateContent"),
    ],
)
def test_what_is_billed_and_cannot_be_counted_is_refused_under_a_budget_alone(
    rig: Rig, meter: Meter, host: str, path: bytes
) -> None:
    """Seen to fail without the list: a batch spent what it liked."""
    rig.upstream(host, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    limit(meter, None)
    assert rig.ask(ASK % (path, host.encode()), host)[0].startswith(b"HTTP/1.1 200")
    limit(meter, CENTS)
    head, body = rig.ask(ASK % (path, host.encode()), host)
    assert b"budget-uncounted" in head and b"cannot be counted" in body


def test_a_stream_that_is_cut_costs_what_may_have_been_thought_meanwhile(rig: Rig, meter: Meter) -> None:
    """Seen to fail by the size of what came alone: a client that cut each answer thought for nothing."""
    host = "api.anthropic.com"
    message = {"model": "claude-opus-4-5", "usage": {"input_tokens": 1, "output_tokens": 1}}
    start = said.sse(("message_start", {"type": "message_start", "message": message}))
    cut = threading.Event()

    def handle(peer: Peer) -> None:
        peer.message()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        peer.send(b"%x\r\n%b\r\n" % (len(start), start))
        cut.wait(30)

    rig.upstream(host, handle)
    limit(meter, NANO * 25 // 10_000)  # a hundred tokens of output, which take half a second
    client = rig.tunnel(host)
    client.send(ASK % (b"/v1/messages", host.encode()))
    client.until(b"message_start")
    time.sleep(0.6)
    client.close()
    cut.set()
    rig.wait(lambda: meter.spending.stop("one") is not None)
    head, _ = rig.ask(ASK % (b"/v1/messages", host.encode()), host)
    assert head.startswith(b"HTTP/1.1 402")


CHUNK = (
    b'data: {"object":"chat.completion.chunk","model":"gpt-5-pro","choices":[{"delta":{"content":"%b"}}]}\n\n'
)
CREATED = b'data: {"type":"response.created","response":{"model":"gpt-5-pro","status":"in_progress"}}\n\n'
DELTA = b'data: {"type":"response.output_text.delta","delta":"%b"}\n\n'


@pytest.mark.parametrize(
    ("path", "kind", "coding", "answer"),
    [
        # Chat Completions say what they used only when they are asked to.
        (
            b"/v1/chat/completions",
            b"text/event-stream",
            b"identity",
            CHUNK % b"word" * 400 + b"data: [DONE]\n\n",
        ),
        # Cut before the event that says it.
        (b"/v1/responses", b"text/event-stream", b"identity", CREATED + DELTA % b"word" * 600),
        # Nobody reads it.
        (b"/v1/responses", b"application/json", b"br", b"x" * 6000),
    ],
)
def test_what_a_dear_model_does_not_say_is_not_taken_for_a_cheap_models(
    rig: Rig, meter: Meter, path: bytes, kind: bytes, coding: bytes, answer: bytes
) -> None:
    """Seen to fail, each: after one answer of a cheap model those of a dear one cost a thousandth."""
    host = "api.openai.com"
    cheap = b'{"model":"gpt-5-nano","usage":{"input_tokens":1,"output_tokens":1}}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Encoding: %b\r\nConnection: close\r\n\r\n"
    bodies = [(head % (b"application/json", b"identity")) + cheap, head % (kind, coding) + answer]

    def handle(peer: Peer) -> None:
        peer.message()
        peer.send(bodies.pop(0))
        peer.close()

    rig.upstream(host, handle)
    limit(meter, 3 * CENTS)
    for _ in range(2):
        client = rig.tunnel(host)
        client.send(ASK % (path, host.encode()))
        client.rest()
    rig.audited(2)
    assert meter.spending.stop("one") is not None, meter.spending.spent(("session", "one"))


@pytest.mark.parametrize(
    ("host", "path", "body"),
    [
        (
            "api.anthropic.com",
            b"/v1/messages",
            b'{"type":"message","model":"claude-opus-4-5","usage":{"input_tokens":1,"output_tokens":1000,"speed":"fast"}}',
        ),
        (
            "api.openai.com",
            b"/v1/responses",
            b'{"model":"gpt-5","service_tier":"priority","usage":{"input_tokens":1,"output_tokens":5500}}',
        ),
    ],
)
def test_an_answer_in_haste_costs_what_haste_costs(
    rig: Rig, meter: Meter, host: str, path: bytes, body: bytes
) -> None:
    """Seen to fail, each: it cost a sixth, or half, of what it is billed."""
    kind = b"Content-Type: application/json\r\nContent-Length: %d" % len(body)
    rig.upstream(host, b"HTTP/1.1 200 OK\r\n%b\r\n\r\n%b" % (kind, body))
    limit(meter, 4 * CENTS)
    assert rig.ask(ASK % (path, host.encode()), host)[1] == body
    rig.audited()
    assert meter.spending.stop("one") is not None, meter.spending.spent(("session", "one"))


def test_an_answer_that_trouble_kept_from_coming_costs_no_time(rig: Rig, meter: Meter) -> None:
    """Seen to fail: a network that was down for a minute used a budget up."""
    host = "api.anthropic.com"

    def handle(peer: Peer) -> None:
        peer.message()
        time.sleep(0.6)
        peer.close()

    rig.upstream(host, handle)
    limit(meter, NANO * 25 // 10_000)
    assert rig.ask(ASK % (b"/v1/messages", host.encode()), host)[0].startswith(b"HTTP/1.1 502")
    assert meter.spending.stop("one") is None
