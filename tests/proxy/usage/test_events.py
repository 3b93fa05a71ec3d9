"""Server-sent events are the same however their stream is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.proxy.usage.events import Events, TooLong
from tests.proxy.usage import said

STREAM = (
    b"\xef\xbb\xbfevent: a\ndata: one\ndata: two\n\n: a comment\ndata:three\r\n\r\ndata\r\r"
    b"id: 7\n\ndata:  four\n\ndatum: no\n\ndata: never ended"
)
SAID = [b"one\ntwo", b"three", b"", b" four"]


@given(st.lists(st.integers(0, len(STREAM))))
def test_a_stream_is_read_however_it_is_cut(cuts: list[int]) -> None:
    events, said, last = Events(1000), [], 0
    for at in [*sorted(cuts), len(STREAM)]:
        said += events.feed(STREAM[last:at])
        last = at
    assert said == SAID


@given(
    st.lists(
        st.sampled_from([b"data: sage\n", b"data: x\n", b"data: long sage\n", b"event: usage\n", b"\n", b"\r\n", b"\r", b": c\n", b"sage", b"data", b"\xef\xbb\xbf"]),
        max_size=14,
    ),
    st.lists(st.integers(0, 120)),
)  # fmt: skip
def test_events_with_a_word_are_found_among_those_that_are_passed_over(
    parts: list[bytes], cuts: list[int]
) -> None:
    """Seen to fail where the first byte of a piece was taken for the end of a blank line."""
    stream = b"".join(parts) + b"\n\ndata: the last sage\n\n"
    every, some = Events(1000), Events(1000, b"sage")
    wanted = [event for piece in said.pieces(stream, cuts) for event in every.feed(piece) if b"sage" in event]
    assert [
        event for piece in said.pieces(stream, cuts) for event in some.feed(piece) if b"sage" in event
    ] == wanted


@pytest.mark.parametrize("stream", [b"data: " + b"x" * 200, b"data: 12345\n" * 30, b"x" * 200])
def test_what_is_longer_than_is_kept_is_given_up(stream: bytes) -> None:
    with pytest.raises(TooLong):
        Events(100).feed(stream)


def test_many_small_events_are_no_long_one() -> None:
    assert len(Events(10).feed(b"data: x\n\n" * 100)) == 100
