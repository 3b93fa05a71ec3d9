"""The commands of a push as they are read from its bytes: cut anywhere, bounded, and nothing of the pack."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.proxy.policy.receive_pack import MOST_BYTES, Malformed, Reader
from tests.proxy.policy.pushes import NONE, OLD, OWN, certificate, pkt, push

MAIN = b"refs/heads/main"
BODIES = {
    "a push": push(OWN),
    "two refs": push(OWN, MAIN),
    "a delete": push(MAIN, new=NONE),
    "options": push(OWN, options=(b"ci.skip", b"topic=x\n")),
    "a shallow clone": push(OWN, before=(b"shallow " + OLD,)),
    "signed": certificate(OWN, MAIN, head=b"push-option ci.skip\n"),
}


def read(body: bytes, cuts: list[int] = []) -> Reader:  # noqa: B006 - never written to
    reader = Reader()
    edges = sorted({0, *(cut % (len(body) + 1) for cut in cuts), len(body)})
    for first, last in itertools.pairwise(edges):
        reader.feed(body[first:last])
    return reader


def facts(reader: Reader) -> tuple[object, ...]:
    return reader.done, list(reader.commands), list(reader.options), reader.probe


def test_each_command_is_a_ref_and_whether_it_removes_it() -> None:
    assert [(one.ref, one.deletes) for one in read(BODIES["two refs"]).commands] == [
        (OWN, False),
        (MAIN, False),
    ]
    assert [(one.ref, one.deletes) for one in read(BODIES["a delete"]).commands] == [(MAIN, True)]
    assert [one.ref for one in read(BODIES["signed"]).commands] == [OWN, MAIN]


@pytest.mark.parametrize(
    ("name", "options"), [("a push", []), ("options", [b"ci.skip", b"topic=x"]), ("signed", [b"ci.skip"])]
)
def test_options_are_read_beside_the_commands_and_in_a_certificate(name: str, options: list[bytes]) -> None:
    assert [option.rstrip(b"\n") for option in read(BODIES[name]).options] == options


def test_a_push_of_nothing_is_a_probe() -> None:
    assert read(b"0000").probe
    assert not read(b"").probe and not read(BODIES["a push"]).probe


@given(body=st.sampled_from(list(BODIES.values())), cuts=st.lists(st.integers(0, 2000), max_size=40))
def test_it_reads_the_same_in_pieces_of_any_size(body: bytes, cuts: list[int]) -> None:
    assert facts(read(body, cuts)) == facts(read(body))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_and_nothing_else(data: bytes) -> None:
    try:
        read(data)
    except Malformed as error:
        assert str(error)


def test_nothing_is_read_beyond_the_commands() -> None:
    reader = Reader()
    reader.feed(push(OWN, options=(b"ci.skip",)))
    assert reader.done and [command.ref for command in reader.commands] == [OWN]
    reader.feed(b"zzzz" * 1000)  # part of a pack


def test_what_comes_before_a_pack_is_bounded() -> None:
    """Seen to fail without the bound."""
    reader = Reader()
    line = pkt(b"shallow " + OLD)
    with pytest.raises(Malformed, match="bytes before its pack"):
        for _ in range(MOST_BYTES // len(line) + 2):
            reader.feed(line)
