"""What was used is read to the token from every API's answers, however they are cut, coded or damaged."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clauderon.proxy.usage.amounts import Usage
from clauderon.proxy.usage.dialects import Dialect, anthropic, gemini, openai
from clauderon.proxy.usage.reader import MOST_BYTES, Answer
from tests.proxy.usage import said
from tests.proxy.usage.said import read

TOKENS = st.integers(0, 10_000_000)
CODINGS = st.sampled_from(["", "gzip", "deflate"])
CUTS = st.lists(st.integers(0, 4000), max_size=12)

STREAMS: list[tuple[Dialect, Callable[..., bytes]]] = [
    (anthropic, said.anthropic_stream),
    (openai, said.responses_stream),
    (openai, said.chat_stream),
    (gemini, said.gemini_stream),
    (gemini, said.code_assist_stream),
]
WHOLES: list[tuple[Dialect, Callable[[Usage], bytes]]] = [
    (anthropic, said.anthropic_json),
    (openai, said.responses_json),
    (openai, said.chat_json),
    (gemini, said.gemini_json),
    (gemini, said.gemini_array),
]


@st.composite
def usages(draw: st.DrawFn, dialect: Dialect) -> Usage:
    """Amounts as this API can say them."""
    usage = Usage("model-1", draw(TOKENS), draw(TOKENS), 0, 0, draw(TOKENS))
    if dialect is anthropic:
        usage = usage._replace(cache_write=draw(TOKENS), cache_write_1h=draw(TOKENS))
    return usage


@pytest.mark.parametrize(("dialect", "make"), STREAMS)
@settings(max_examples=30)
@given(data=st.data(), coding=CODINGS, cuts=CUTS, end=st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_a_stream_is_read_however_it_is_cut(
    dialect: Dialect,
    make: Callable[..., bytes],
    data: st.DataObject,
    coding: str,
    cuts: list[int],
    end: bytes,
) -> None:
    usage = data.draw(usages(dialect))
    body = said.coded(make(usage, end), coding)
    assert read(dialect, True, said.pieces(body, cuts), coding) == usage


@pytest.mark.parametrize(("dialect", "make"), WHOLES)
@settings(max_examples=30)
@given(data=st.data(), coding=CODINGS, cuts=CUTS)
def test_a_whole_answer_is_read_however_it_is_cut(
    dialect: Dialect, make: Callable[[Usage], bytes], data: st.DataObject, coding: str, cuts: list[int]
) -> None:
    usage = data.draw(usages(dialect))
    body = said.coded(make(usage), coding)
    assert read(dialect, False, said.pieces(body, cuts), coding) == usage


@pytest.mark.parametrize("coding", ["", "gzip", "deflate"])
@pytest.mark.parametrize(("dialect", "make"), STREAMS)
def test_a_stream_cut_at_every_byte_boundary_says_the_same(
    dialect: Dialect, make: Callable[..., bytes], coding: str
) -> None:
    usage = Usage("m", 11, 5, 0, 0, 9)
    body = said.coded(make(usage, b"\r\n"), coding)
    for cut in range(len(body) + 1):
        assert read(dialect, True, [body[:cut], body[cut:]], coding) == usage
    assert read(dialect, True, [body[i : i + 1] for i in range(len(body))], coding) == usage


@pytest.mark.parametrize(("dialect", "make"), STREAMS)
def test_a_stream_that_ends_too_soon_is_unknown(dialect: Dialect, make: Callable[..., bytes]) -> None:
    body = make(Usage("m", 11, 5, 0, 0, 9))
    for cut in range(len(body)):
        assert not read(dialect, True, [body[:cut]], complete=False).known


def test_a_cut_stream_still_counts_what_its_beginning_said() -> None:
    body = said.anthropic_stream(Usage("m", 11, 5, 3, 2, 9))
    cut = body.index(b"event: message_delta")
    assert read(anthropic, True, [body[:cut]]) == Usage("m", 11, 5, 3, 2, 1, known=False)


@settings(max_examples=30)
@given(
    body=st.binary(max_size=300), streamed=st.booleans(), coding=st.sampled_from(["", "gzip", "br", "zstd"])
)
@pytest.mark.parametrize("dialect", [anthropic, openai, gemini])
def test_no_body_breaks_the_reader(dialect: Dialect, body: bytes, streamed: bool, coding: str) -> None:
    assert read(dialect, streamed, [body], coding).tokens == 0


def test_a_bomb_ends_at_what_is_kept() -> None:
    answer = Answer(anthropic, False, "gzip")
    answer.feed(gzip.compress(b" " * (MOST_BYTES * 20)))
    assert answer._body == []
    assert not answer.end(True).known
    streamed = Answer(anthropic, True, "")
    for _ in range(80):
        streamed.feed(b"data: " + b"x" * 65536)
    assert not streamed.end(True).known


def test_an_answer_without_a_word_of_usage_is_unknown() -> None:
    assert not read(
        openai, True, [said.sse(("", {"object": "chat.completion.chunk"}), ("", b"[DONE]"))]
    ).known
    assert not read(anthropic, False, [b"{}"]).known
    assert not read(anthropic, False, [b""]).known


CREATED = b'data: {"type":"response.created","response":{"model":"m","metadata":{"model":"no"}}}\n\n'
CHUNK = b'data: {"object":"chat.completion.chunk","model":"m","choices":[{"delta":{"content":"\\"model\\":\\"no\\""}}]}\n\n'


@pytest.mark.parametrize(
    ("dialect", "streamed", "body"),
    [
        (openai, True, CREATED),
        (openai, True, CREATED.replace(b"\n", b"\r\n") + b"data: {"),
        (openai, True, CHUNK + CHUNK.replace(b'"m"', b'"other"') * 30 + b"data: [DONE]\n\n"),
        (openai, True, b"data: [\n\n" + b": ping\n\n" + b'data: {"model":""}\n\n' + CHUNK),
        (gemini, True, b'data: {"candidates":[],"modelVersion":"m"}\n\n'),
        (
            openai,
            False,
            b'{"metadata":{"model":"no"},"t":"\\"model\\":\\"no\\"", "x":["model","no"], "model" : "m", "out',
        ),
        (openai, False, b'{"model":"m","text":"' + b"x" * MOST_BYTES + b'"}'),
        (anthropic, False, b'{"id":"1","type":"message","model":"m","content":[{"type":"text","text":"h'),
    ],
    ids=range(8),
)
def test_an_answer_that_says_no_usage_names_its_model(dialect: Dialect, streamed: bool, body: bytes) -> None:
    """So that nobody takes it for another one's. Seen to fail, each, by the name that came with the usage alone."""
    for cuts in ([], [1, 7, 40, 90], list(range(0, 200, 3))):
        usage = read(dialect, streamed, said.pieces(body, cuts), "")
        assert (usage.model, usage.known) == ("m", False)
