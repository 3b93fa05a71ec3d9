"""The answers on a WebSocket are counted, each once, with and without compression, however the bytes arrive."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import TextMessage
from wsproto.extensions import Extension, PerMessageDeflate

from clauderon.proxy.usage.amounts import UNKNOWN, Usage
from clauderon.proxy.usage.dialects import openai
from clauderon.proxy.usage.reader import MOST_BYTES
from clauderon.proxy.usage.websocket import Messages
from tests.proxy.usage import said

DEFLATE = "permessage-deflate; server_no_context_takeover"


def server(extensions: str) -> Connection:
    agreed: list[Extension] = []
    if extensions:
        deflate = PerMessageDeflate()
        deflate.accept(extensions)
        agreed.append(deflate)
    return Connection(ConnectionType.SERVER, agreed)


def frames(extensions: str, texts: list[str], fragment: int = 0) -> bytes:
    speaker = server(extensions)
    out = b""
    for text in texts:
        if not fragment:
            out += speaker.send(TextMessage(data=text))
            continue
        parts = [text[i : i + fragment] for i in range(0, len(text), fragment)]
        for number, part in enumerate(parts, 1):
            out += speaker.send(TextMessage(data=part, message_finished=number == len(parts)))
    return out


@pytest.mark.parametrize("extensions", ["", DEFLATE, "permessage-deflate"])
@settings(max_examples=30)
@given(
    outputs=st.lists(st.integers(0, 10_000), min_size=1, max_size=3),
    cuts=st.lists(st.integers(0, 3000), max_size=8),
    fragment=st.sampled_from([0, 7, 100]),
)
def test_every_answer_is_counted_once(
    extensions: str, outputs: list[int], cuts: list[int], fragment: int
) -> None:
    usages = [Usage("codex-1", 3, 1, 0, 0, output) for output in outputs]
    texts = [json.dumps(event) for usage in usages for event in said.responses_events(usage)]
    messages = Messages(openai, extensions)
    found = []
    for piece in said.pieces(frames(extensions, texts, fragment), cuts):
        found += messages.feed(piece)
    assert found == usages
    assert messages.end() == []


def test_an_answer_that_is_cut_is_unknown_but_for_its_model() -> None:
    """Seen to fail: its price was that of the model before it."""
    messages = Messages(openai)
    first, *_ = said.responses_events(Usage("m", 1, 1, 0, 0, 1))
    assert messages.feed(frames("", [json.dumps(first)])) == []
    assert messages.answering
    assert messages.end() == [UNKNOWN._replace(model="m")]


def test_an_extension_that_is_not_known_makes_nothing_readable() -> None:
    messages = Messages(openai, "x-odd")
    assert not messages.readable
    assert messages.feed(frames("", ["{}"])) == []


@settings(max_examples=30)
@given(data=st.binary(max_size=200))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    messages = Messages(openai)
    assert all(not usage.known for usage in messages.feed(data))


def test_a_message_longer_than_is_kept_is_unknown_and_the_next_is_read() -> None:
    usage = Usage("m", 3, 1, 0, 0, 2)
    completed = said.responses_events(usage)[-1]
    long = json.dumps({**completed, "padding": "x" * (MOST_BYTES + 1)})
    messages = Messages(openai)
    assert messages.feed(frames("", [long, json.dumps(completed)])) == [UNKNOWN, usage]
