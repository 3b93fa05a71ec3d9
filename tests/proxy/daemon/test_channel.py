"""Messages and descriptors between supervisor and worker: in order, and whole."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings, strategies

from clauderon.proxy.daemon import channel


@given(
    strategies.lists(
        strategies.tuples(
            strategies.dictionaries(strategies.text(), strategies.text()), strategies.integers(0, 3)
        )
    )
)
@settings(max_examples=30)
def test_messages_and_descriptors_arrive_in_order(messages: list[tuple[dict[str, str], int]]) -> None:
    ours, theirs_socket = channel.pair()
    theirs = channel.Channel(theirs_socket)
    try:
        received: list[tuple[dict[str, str], int]] = []
        for body, count in messages:
            pipes = [os.pipe() for _ in range(count)]
            ours.send("x", [read for read, _ in pipes], body=body)
            for number, (read, write) in enumerate(pipes):
                os.write(write, bytes([number]))
                os.close(write)
                os.close(read)
            for message, descriptors in theirs.receive(10):
                received.append((message["body"], len(descriptors)))
                for number, descriptor in enumerate(descriptors):
                    assert os.read(descriptor, 2) == bytes([number])
                    assert not os.get_inheritable(descriptor)
                    os.close(descriptor)
        assert received == messages
    finally:
        ours.close()
        theirs.close()


def test_a_message_larger_than_any_buffer_arrives_whole() -> None:
    import threading

    ours, theirs_socket = channel.pair()
    theirs = channel.Channel(theirs_socket)
    text = "x" * 2_000_000
    sending = threading.Thread(target=ours.send, args=("x",), kwargs={"text": text})
    sending.start()
    received: list[tuple[dict[str, object], list[int]]] = []
    while not received:
        received = theirs.receive(10)
    sending.join()
    assert received[0][0]["text"] == text
    ours.close()
    with pytest.raises(channel.Closed):
        theirs.receive(10)
    theirs.close()
