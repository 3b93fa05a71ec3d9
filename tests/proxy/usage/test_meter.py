"""What a model's answer says is counted as it passes the proxy, and not a byte of it changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from clauderon.proxy.usage.amounts import Usage
from clauderon.proxy.usage.meter import Meter
from tests.proxy.peers import Peer
from tests.proxy.rig import Rig
from tests.proxy.usage import said
from tests.proxy.usage.test_websocket import frames

ASK = b"POST %b HTTP/1.1\r\nHost: %b\r\nContent-Length: 2\r\n\r\n{}"
USAGE = Usage("claude-opus-4-5", 100, 20, 7, 3, 50)


class Lines:
    def __init__(self) -> None:
        self.all: list[Mapping[str, Any]] = []

    def append(self, record: Mapping[str, Any]) -> None:
        json.dumps(record)
        self.all.append(record)

    def ended(self) -> list[dict[str, Any]]:
        return [dict(line) for line in self.all if line.get("end")]


@pytest.fixture
def lines(rig: Rig) -> Lines:
    lines = Lines()
    rig.plane.shared.meter = Meter(lines, "w")
    return lines


def chunked(body: bytes, size: int) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def answers(body: bytes, kind: bytes, coding: bytes = b"") -> list[bytes]:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n" % kind + (
        b"Content-Encoding: %b\r\n" % coding if coding else b""
    )
    return [
        head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body),
        head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(body, 7),
        head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(body, 1000),
        head + b"Connection: close\r\n\r\n" + body,
    ]


@pytest.mark.parametrize("credential", [True, False])
@pytest.mark.parametrize("piece", [1 << 20, 97])
@pytest.mark.parametrize("form", range(4))
@pytest.mark.parametrize("coding", [b"", b"gzip"])
def test_an_answer_is_counted_to_the_token_and_passes_unchanged(
    rig: Rig, lines: Lines, credential: bool, piece: int, form: int, coding: bytes
) -> None:
    body = said.coded(said.anthropic_stream(USAGE), coding.decode())
    answer = answers(body, b"text/event-stream; charset=utf-8", coding)[form]

    def handle(peer: Peer) -> None:
        peer.message()
        for at in range(0, len(answer), piece):
            peer.send(answer[at : at + piece])

    if credential:
        rig.grants.add("api.anthropic.com", model_api=True)
    rig.upstream("api.anthropic.com", handle)
    client = rig.tunnel("api.anthropic.com")
    client.send(ASK % (b"/v1/messages?beta=true", b"api.anthropic.com"))
    assert client.exactly(len(answer)) == answer
    rig.audited()
    (line,) = lines.ended()
    assert {name: line[name] for name in ("model", "input", "cache_read", "cache_write", "cache_write_1h", "output")} == {
        "model": "claude-opus-4-5", "input": 100, "cache_read": 20, "cache_write": 7, "cache_write_1h": 3, "output": 50,
    }  # fmt: skip
    # 100 x 5, 20 x 0.5, 7 x 6.25, 3 x 10 and 50 x 25 dollars a million.
    assert (line["nano"], line.get("unknown"), line["session"]) == (1_833_750, None, "one")
    assert [one["id"] for one in lines.all] == [line["id"]] * 2


def test_another_path_and_another_host_are_not_counted(rig: Rig, lines: Lines) -> None:
    body = said.anthropic_json(USAGE)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    for host in ("api.anthropic.com", "api.test"):
        rig.upstream(host, answer)
    rig.ask(ASK % (b"/v1/messages/count_tokens", b"api.anthropic.com"), "api.anthropic.com")
    rig.ask(ASK % (b"/v1/messages", b"api.test"), "api.test")
    rig.audited(2)
    assert lines.all == []


def test_a_refused_request_used_nothing(rig: Rig, lines: Lines) -> None:
    rig.upstream("api.anthropic.com", b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 2\r\n\r\n{}")
    rig.ask(ASK % (b"/v1/messages", b"api.anthropic.com"), "api.anthropic.com")
    rig.audited()
    assert [line.get("nothing") for line in lines.ended()] == [True]


def test_a_request_that_never_left_used_nothing(rig: Rig, lines: Lines) -> None:
    """Its host has no address. Seen to fail while only an answer said that nothing was used."""
    head, _ = rig.ask(ASK % (b"/v1/messages", b"api.anthropic.com"), "api.anthropic.com")
    assert b" 502 " in head
    rig.audited()
    assert [line.get("nothing") for line in lines.ended()] == [True]


def test_a_request_that_left_and_had_no_answer_is_unknown(rig: Rig, lines: Lines) -> None:
    def handle(peer: Peer) -> None:
        peer.message()
        peer.close()

    rig.upstream("api.anthropic.com", handle)
    rig.ask(ASK % (b"/v1/messages", b"api.anthropic.com"), "api.anthropic.com")
    rig.audited()
    assert [(line.get("nothing"), line.get("unknown")) for line in lines.ended()] == [(None, 1)]


def test_an_answer_that_breaks_off_is_unknown_but_its_beginning_counts(rig: Rig, lines: Lines) -> None:
    body = said.anthropic_stream(USAGE)
    cut = body[: body.index(b"event: message_delta")]

    def handle(peer: Peer) -> None:
        peer.message()
        peer.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 99999\r\n\r\n" + cut
        )

    rig.upstream("api.anthropic.com", handle)
    client = rig.tunnel("api.anthropic.com")
    client.send(ASK % (b"/v1/messages", b"api.anthropic.com"))
    client.rest()
    rig.audited()
    (line,) = lines.ended()
    assert (line["unknown"], line["input"], line["output"]) == (1, 100, 1)


def test_what_a_websocket_answers_is_counted_message_by_message(rig: Rig, lines: Lines) -> None:
    usages = [Usage("gpt-5", 40, 10, 0, 0, n) for n in (5, 6)]
    texts = [json.dumps(event) for usage in usages for event in said.responses_events(usage)]
    wire = frames("", texts, 11)

    def handle(peer: Peer) -> None:
        peer.head()
        peer.send(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
            + wire[:100]
        )
        peer.send(wire[100:])
        peer.until(b"bye")

    rig.grants.add("api.openai.com", b"authorization", websocket=True, model_api=True)
    rig.upstream("api.openai.com", handle)
    client = rig.tunnel("api.openai.com")
    client.send(
        b"GET /v1/responses HTTP/1.1\r\nHost: api.openai.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    )
    client.head()
    assert client.exactly(len(wire)) == wire
    client.send(b"bye")
    rig.audited()
    assert [(line["model"], line["input"], line["cache_read"], line["output"]) for line in lines.ended()] == [
        ("gpt-5", 40, 10, 5),
        ("gpt-5", 40, 10, 6),
    ]
    assert len({line["id"] for line in lines.ended()}) == 2


def test_the_windows_of_a_subscription_are_noted(rig: Rig, lines: Lines) -> None:
    field = b"anthropic-ratelimit-unified-5h-utilization: 0.5\r\n"
    body = said.anthropic_json(USAGE)
    rig.grants.add("api.anthropic.com", model_api=True)
    rig.upstream(
        "api.anthropic.com", b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (field, len(body), body)
    )
    rig.ask(ASK % (b"/v1/messages", b"api.anthropic.com"), "api.anthropic.com")
    rig.audited()
    (noted,) = [line for line in lines.all if "windows" in line]
    assert (noted["api"], noted["credential"], noted["windows"]) == (
        "anthropic",
        "anthropic",
        [("5-hour", 0.5, 0.0)],
    )
