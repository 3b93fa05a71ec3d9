"""Arbitrary valid HTTP/1.1 through the real proxy to a recording upstream: every byte that is not ours is the same."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.proxy.peers import Peer
from tests.proxy.rig import Rig, running

HOST = b"api.test"
CREDENTIALED = b"key.test"
SECRET = b"the-secret-of-the-host-0001"
TCHAR = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
# What is ours to change, or means something to the framing.
OURS = {
    b"host", b"content-length", b"transfer-encoding", b"connection", b"upgrade", b"expect", b"authorization", b"cookie",
    b"x-api-key", b"x-goog-api-key", b"http2-settings", b"content-encoding", b"proxy-connection", b"proxy-authorization",
    b"proxy-authenticate", b"proxy-features", b"te", b"trailer", b"content-type", b"content-range",
}  # fmt: skip

tokens = st.text(TCHAR, min_size=1, max_size=20).map(str.encode)
names = tokens.filter(lambda name: name.lower().replace(b"_", b"-") not in OURS)
visible = st.sampled_from([bytes([byte]) for byte in [9, *range(32, 127), *range(128, 256)]])
values = st.lists(visible, max_size=40).map(b"".join)
spaces = st.sampled_from([b"", b" ", b"\t", b"  ", b" \t "])
blanks = st.sampled_from([b"", b" ", b"  "])
fields = st.builds(lambda name, space, value: name + b":" + space + value, names, spaces, values)
bodies = st.binary(max_size=400) | st.integers(1, 200_000).map(
    lambda size: b"\x00\r\n0\r\n\r\n" * (size // 9)
)


def _case(word: bytes, upper: list[bool]) -> bytes:
    return bytes(
        byte - 32 if up and 97 <= byte <= 122 else byte for byte, up in zip(word, upper, strict=False)
    )


def cased(word: bytes) -> st.SearchStrategy[bytes]:
    return st.lists(st.booleans(), min_size=len(word), max_size=len(word)).map(
        lambda upper: _case(word, upper)
    )


@st.composite
def chunked(draw: st.DrawFn, body: bytes) -> bytes:
    coded, at = b"", 0
    sizes = draw(st.lists(st.integers(1, 5000) | st.just(1), min_size=1, max_size=12))
    extension = st.sampled_from([b"", b"", b";a", b";a=b;c", b';a="b c\xff\\""'])
    while at < len(body):
        part = body[at : at + sizes[0]] if len(sizes) > 1 else body[at:]
        sizes = sizes[1:] or sizes
        number = draw(st.sampled_from([b"%x", b"%X", b"00%x"])) % len(part)
        coded += number + draw(extension) + b"\r\n" + part + b"\r\n"
        at += len(part)
    trailers = b"".join(line + b"\r\n" for line in draw(st.lists(fields, max_size=3)))
    return coded + b"0" + draw(extension) + b"\r\n" + trailers + b"\r\n"


@st.composite
def framed(draw: st.DrawFn, kinds: list[str]) -> tuple[list[bytes], bytes]:
    """The framing field, if any, and the body on the wire."""
    kind = draw(st.sampled_from(kinds))
    if kind == "none":
        return [], b""
    body = draw(bodies)
    if kind == "length":
        zeros = draw(st.sampled_from([b"%d", b"0%d"])) % len(body)
        return [draw(cased(b"content-length")) + b":" + draw(blanks) + zeros + draw(blanks)], body
    return [draw(cased(b"transfer-encoding")) + b": " + draw(cased(b"chunked"))], draw(chunked(body))


@dataclass(repr=False)
class Message:
    head: bytes
    body: bytes

    def __repr__(self) -> str:
        body = self.body if len(self.body) < 500 else self.body[:100] + b"..."
        return f"Message({self.head!r}, {body!r})"

    @property
    def wire(self) -> bytes:
        return self.head + self.body


@st.composite
def requests(draw: st.DrawFn) -> Message:
    method = draw(
        st.sampled_from([b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS"])
        | tokens.filter(lambda t: t != b"CONNECT")
    )
    target = (
        b"/"
        + draw(st.text(TCHAR.replace("#", "") + '/?%=&;:@,()[]{}\\"<>', max_size=40)).encode()
        + draw(st.sampled_from([b"", b"\xc3\xa9"]))
    )
    lines = draw(st.lists(fields, max_size=6))
    framing, body = draw(framed(["none", "length", "chunked"]))
    host = (
        draw(cased(b"host"))
        + b":"
        + draw(spaces)
        + draw(st.sampled_from([HOST, b"API.test", HOST + b":443"]))
    )
    for line in [host, *framing]:
        lines.insert(draw(st.integers(0, len(lines))), line)
    return Message(b"\r\n".join([method + b" " + target + b" HTTP/1.1", *lines]) + b"\r\n\r\n", body)


@st.composite
def responses(draw: st.DrawFn, method: bytes) -> Message:
    interim = b"".join(
        b"HTTP/1.1 %d \r\n%b\r\n" % (draw(st.sampled_from([100, 102, 103])), line + b"\r\n" if line else b"")
        for line in draw(st.lists(fields, max_size=2))
    )
    status = draw(st.sampled_from([200, 200, 201, 204, 206, 301, 304, 404, 418, 500, 599, 999]))
    reason = b" " + draw(values) if draw(st.booleans()) else b""
    lines = draw(st.lists(fields, max_size=6))
    framing, body = draw(framed(["length", "chunked"]))
    if status == 204:
        framing, body = [], b""
    elif status == 304 or method == b"HEAD":
        body = b""
    for line in framing:
        lines.insert(draw(st.integers(0, len(lines))), line)
    head = interim + b"\r\n".join([b"HTTP/1.1 %d" % status + reason, *lines]) + b"\r\n\r\n"
    return Message(head, body)


@st.composite
def conversations(draw: st.DrawFn) -> list[tuple[Message, Message]]:
    asked = draw(st.lists(requests(), min_size=1, max_size=4))
    return [(each, draw(responses(each.head.split(b" ")[0]))) for each in asked]


cuts = st.lists(st.integers(1, 3000) | st.integers(1, 4), max_size=25)


@dataclass
class Script:
    """What the upstream is to answer, and what it was asked."""

    answers: list[tuple[bytes, list[int]]] = field(default_factory=list)
    asked: list[bytes] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, peer: Peer) -> None:
        while True:
            head, body = peer.message()
            with self.lock:
                self.asked.append(head + body)
                answer, at = self.answers.pop(0)
            _send(peer, answer, at)


def _send(peer: Peer, wire: bytes, at: list[int]) -> None:
    start = 0
    for size in at:
        if start < len(wire):
            peer.send(wire[start : start + size])
            start += size
    if start < len(wire):
        peer.send(wire[start:])


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rig, Script]]:
    path: Path = tmp_path_factory.mktemp("fidelity")
    with running(path) as rig:
        script = Script()
        for host in (HOST, CREDENTIALED):
            rig.upstream(host.decode(), script.serve)
        rig.grants.add(CREDENTIALED.decode(), b"authorization", "Bearer " + SECRET.decode())
        yield rig, script


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(conversation=conversations(), at=cuts, answer_at=cuts)
def test_messages_pass_byte_for_byte_however_they_are_cut(
    stage: tuple[Rig, Script],
    conversation: list[tuple[Message, Message]],
    at: list[int],
    answer_at: list[int],
) -> None:
    """All requests are sent at once (pipelined), in pieces; the answers come in pieces too."""
    rig, script = stage
    script.asked.clear()
    script.answers[:] = [(answer.wire, answer_at) for _, answer in conversation]
    client = rig.tunnel(HOST.decode())
    sender = threading.Thread(target=_send, args=(client, b"".join(ask.wire for ask, _ in conversation), at))
    sender.start()
    expected = b"".join(answer.wire for _, answer in conversation)
    got = client.exactly(len(expected))
    sender.join()
    rig.wait(lambda: len(script.asked) == len(conversation))
    client.close()
    assert got == expected
    assert script.asked == [ask.wire for ask, _ in conversation]


def _asking_for_all_in_plain(lines: list[bytes]) -> list[bytes]:
    """A host with a credential is asked for no part of an answer, and for no coding."""
    made = []
    for line in lines:
        name = line.partition(b":")[0].lower().replace(b"_", b"-")
        if name == b"accept-encoding" and b"Accept-Encoding: identity" not in made:
            made.append(b"Accept-Encoding: identity")
        elif name not in (b"accept-encoding", b"range", b"if-range"):
            made.append(line)
    return made


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(conversation=conversations(), answer_at=cuts, placed=st.lists(st.integers(0, 9), max_size=3))
def test_with_a_credential_one_line_is_ours_and_the_rest_the_same(
    stage: tuple[Rig, Script],
    conversation: list[tuple[Message, Message]],
    answer_at: list[int],
    placed: list[int],
) -> None:
    rig, script = stage
    script.asked.clear()
    client = rig.tunnel(CREDENTIALED.decode())
    for ask, answer in conversation:
        lines = [
            b"Host: " + CREDENTIALED if line.lower().startswith(b"host:") else line
            for line in ask.head[:-4].split(b"\r\n")
        ]
        bare = list(lines)
        for number, index in enumerate(placed):
            theirs = [b"Authorization: Bearer theirs", b"x_api_key: theirs", b"COOKIE: theirs"][number]
            lines.insert(1 + index % len(lines), theirs)
        whole = answer.wire.replace(b"HTTP/1.1 206", b"HTTP/1.1 207")  # a part of an answer would be refused
        script.answers[:] = [(whole, answer_at)]
        client.send(b"\r\n".join(lines) + b"\r\n\r\n" + ask.body)
        assert client.exactly(len(whole)) == whole
        seen = script.asked.pop()
        assert b"theirs" not in seen.split(b"\r\n\r\n")[0]
        head, _, body = seen.partition(b"\r\n\r\n")
        kept = head.split(b"\r\n")
        ours = b"authorization: Bearer " + SECRET
        assert kept.count(ours) == 1
        kept.remove(ours)
        assert kept == _asking_for_all_in_plain(bare)
        assert body == ask.body
    client.close()
