"""Where messages begin and end on a WebSocket is known, however the bytes are cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, Ping, TextMessage

from clauderon.proxy.usage.frames import Frames, frame
from tests.proxy.usage import said

MESSAGES = st.lists(
    st.one_of(
        st.builds(lambda text, n: ("text", text, n), st.text(max_size=300), st.integers(1, 4)),
        st.builds(lambda size: ("bytes", "x" * size, 1), st.sampled_from([0, 125, 126, 65535, 65536, 70000])),
        st.just(("ping", "", 1)),
    ),
    max_size=6,
)


def spoken(speaker: Connection, kind: str, text: str, parts: int) -> bytes:
    if kind == "ping":
        return speaker.send(Ping(b"p"))
    if kind == "bytes":
        return speaker.send(BytesMessage(data=text.encode()))
    size = len(text) // parts + 1
    pieces = [text[at : at + size] for at in range(0, len(text), size)] or [""]
    return b"".join(
        speaker.send(TextMessage(data=piece, message_finished=number == len(pieces)))
        for number, piece in enumerate(pieces, 1)
    )


@given(messages=MESSAGES, cuts=st.lists(st.integers(0, 200_000), max_size=10), client=st.booleans())
def test_every_message_is_seen_to_begin_once(
    messages: list[tuple[str, str, int]], cuts: list[int], client: bool
) -> None:
    speaker = Connection(ConnectionType.CLIENT if client else ConnectionType.SERVER)
    wire = b"".join(spoken(speaker, *message) for message in messages)
    frames = Frames()
    assert sum(frames.feed(piece) for piece in said.pieces(wire, cuts)) == sum(
        kind != "ping" for kind, _, _ in messages
    )
    assert frames.between


@given(text=st.text(min_size=4, max_size=50), data=st.data())
def test_inside_a_message_is_not_between_two(text: str, data: st.DataObject) -> None:
    wire = spoken(Connection(ConnectionType.SERVER), "text", text, 3)
    frames = Frames()
    frames.feed(wire[: data.draw(st.integers(1, len(wire) - 1))])
    assert not frames.between


@given(size=st.sampled_from([0, 1, 125, 126, 65535, 65536]))
def test_a_frame_of_ours_is_one_that_others_read(size: int) -> None:
    reader = Connection(ConnectionType.CLIENT)
    reader.receive_data(frame(0x1, b"x" * size))
    texts = [event.data for event in reader.events() if isinstance(event, TextMessage)]
    assert "".join(texts) == "x" * size
