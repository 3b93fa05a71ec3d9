"""A WebSocket to a model, ended between two messages and never in one: with wires that keep what they are sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.proxy.dataplane.model_tunnel import ModelTunnel
from clauderon.proxy.usage.apis import APIS
from clauderon.proxy.usage.frames import frame
from clauderon.proxy.usage.spending import Stop

STOP = Stop("budget", "the budget of session one is used up", "clauderon budget one +5")
ASK, ANSWER = frame(0x1, b"ask"), frame(0x1, b"an answer")


class Wire:
    """One side."""

    secure = closed = unflushed = False
    turn = None
    ticks = 0

    def __init__(self) -> None:
        self.sent = b""
        self.gone = False

    def send(self, data: bytes) -> None:
        self.sent += bytes(data)

    def join(self, _tunnel: object) -> None:
        pass

    own = hold = release = join

    def flush(self) -> None:
        pass

    def end(self) -> None:
        self.gone = True

    close = abort = end


class Metering:
    """Counts an answer for each that the test says has ended."""

    api = APIS["openai"]

    def __init__(self) -> None:
        self.answers = 0
        self.answering = False
        self.used_up = False
        self.ends = False  # the next bytes from the upstream end an answer
        self.talks = False  # they are whole messages that say nothing of usage
        self.asked = 0

    def sent(self, size: int) -> None:
        self.asked += size

    def body(self, _data: object) -> None:
        if self.ends:
            self.answers += 1
            self.ends = False

    def is_talk(self, _data: object) -> bool:
        return self.talks

    def stop(self) -> Stop | None:
        return STOP if self.used_up else None


class Stage:
    def __init__(self) -> None:
        self.client, self.upstream, self.metering = Wire(), Wire(), Metering()
        self.recorded: list[tuple[int, int, str | None]] = []
        client: Any = self.client
        upstream: Any = self.upstream
        metering: Any = self.metering
        self.tunnel = ModelTunnel(client, upstream, lambda *facts: self.recorded.append(facts), metering)

    @property
    def over(self) -> str | None:
        return self.recorded[-1][2] if self.recorded else None

    def answer(self, data: bytes = ANSWER, *, ends: bool = True) -> None:
        self.metering.ends = ends
        self.tunnel.upstream_data(data)


def goodbye(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The error, and the frame that closes."""
    assert data[0] == 0x81
    size, at = (data[1], 2) if data[1] < 126 else (int.from_bytes(data[2:4], "big"), 4)
    return json.loads(data[at : at + size]), data[at + size :]


def test_what_passes_is_the_same_to_the_byte_and_counted() -> None:
    stage = Stage()
    stage.tunnel.client_data(ASK)
    stage.answer()
    assert (stage.upstream.sent, stage.client.sent) == (ASK, ANSWER)
    assert (stage.metering.asked, stage.over) == (len(ASK), None)


def test_the_answer_that_uses_a_budget_up_comes_whole_and_is_the_last() -> None:
    stage = Stage()
    stage.tunnel.client_data(ASK)
    stage.metering.used_up = True
    stage.answer()
    assert stage.client.sent.startswith(ANSWER)
    error, close = goodbye(stage.client.sent[len(ANSWER) :])
    assert "used up" in error["error"]["message"]
    assert close[:1] == b"\x88" and int.from_bytes(close[2:4], "big") == 1008
    assert stage.over == "budget"


def test_a_message_while_a_budget_is_used_up_is_answered_here_and_sent_nowhere() -> None:
    """Seen to reach the upstream with the question left out."""
    stage = Stage()
    stage.metering.used_up = True
    stage.tunnel.client_data(ASK)
    assert stage.upstream.sent == b""
    goodbye(stage.client.sent)


def test_a_ping_asks_nothing_of_a_model() -> None:
    stage = Stage()
    stage.metering.used_up = True
    ping = frame(0x9, b"")
    stage.tunnel.client_data(ping)
    assert (stage.upstream.sent, stage.over) == (ping, None)


@pytest.mark.parametrize("state", ["asked", "answering"])
def test_a_further_message_of_a_conversation_under_way_is_not_cut(state: str) -> None:
    """The budget was used up by another session; what was begun comes to its end."""
    stage = Stage()
    if state == "asked":
        stage.tunnel.client_data(ASK)
    else:
        stage.metering.answering = True
    stage.metering.used_up = True
    stage.tunnel.client_data(ASK)
    assert stage.over is None and stage.upstream.sent.endswith(ASK)


@given(cut=st.integers(1, len(ANSWER) - 1))
def test_nothing_is_put_into_a_frame_that_has_begun(cut: int) -> None:
    """The end of an answer may be known before its frame's last byte."""
    stage = Stage()
    stage.tunnel.client_data(ASK)
    stage.metering.used_up = True
    stage.answer(ANSWER[:cut])
    assert (stage.client.sent, stage.over) == (ANSWER[:cut], None)
    stage.answer(ANSWER[cut:], ends=False)
    assert stage.client.sent.startswith(ANSWER)
    goodbye(stage.client.sent[len(ANSWER) :])


def test_where_an_upstream_is_in_the_middle_of_a_frame_the_end_says_nothing() -> None:
    """Whatever were said would be part of that frame."""
    stage = Stage()
    stage.answer(ANSWER[:3], ends=False)
    stage.metering.used_up = True
    stage.tunnel.client_data(ASK)
    assert (stage.client.sent, stage.over) == (ANSWER[:3], "budget")


def test_messages_that_say_nothing_of_usage_pass_without_a_look() -> None:
    stage = Stage()
    stage.metering.talks = stage.metering.ends = True
    stage.answer()
    assert (stage.client.sent, stage.metering.answers) == (ANSWER, 0)


def test_after_a_half_message_every_byte_is_looked_at() -> None:
    """A quick look is for what begins between two messages alone."""
    stage = Stage()
    stage.answer(ANSWER[:3], ends=False)
    stage.metering.talks = True
    stage.answer(ANSWER[3:])
    assert (stage.client.sent, stage.metering.answers) == (ANSWER, 1)
