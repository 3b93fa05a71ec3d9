"""Server-sent events are the same however their stream is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.proxy.usage.events import Events, TooLong

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


@pytest.mark.parametrize("stream", [b"data: " + b"x" * 200, b"data: 12345\n" * 30, b"x" * 200])
def test_what_is_longer_than_is_kept_is_given_up(stream: bytes) -> None:
    with pytest.raises(TooLong):
        Events(100).feed(stream)


def test_many_small_events_are_no_long_one() -> None:
    assert len(Events(10).feed(b"data: x\n\n" * 100)) == 100
