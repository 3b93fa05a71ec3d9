"""A planted secret is searched for in every byte that leaves the proxy for anywhere but its own host."""

from __future__ import annotations

import base64
import gzip
import logging
import random
import threading
import traceback
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.proxy import inflate
from clauderon.proxy.echo import PART, EchoError, Mask
from clauderon.proxy.framing import Chunked, response_framing
from tests.proxy.rig import CANARY, Peer, Rig

SECRET = CANARY.encode()
STARS = b"*" * len(SECRET)
GET = b"GET / HTTP/1.1\r\nHost: api.test\r\n\r\n"


def _response(body: bytes, *fields: bytes) -> bytes:
    lines = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _chunks(*parts: bytes) -> bytes:
    coded = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + coded + b"0\r\n\r\n"


def _served(rig: Rig, response: bytes, *, cut: int | None = None, secret: str = CANARY) -> bytes:
    """What the client gets when its credentialed host answers with `response`, in two writes if `cut`."""

    came = threading.Event()

    def handle(peer: Peer) -> None:
        while True:
            peer.message()
            peer.send(response[:cut])
            if cut is not None:
                assert came.wait(30)
                peer.send(response[cut:])

    rig.upstream(handler=handle)
    rig.grants.add("api.test", value=secret)
    client = rig.tunnel()
    client.send(GET)
    if cut is None:
        client.message()
    else:
        client.fill()
        came.set()
        while len(client.seen) < len(response) and client.fill():
            pass
    return bytes(client.seen)


ECHOES = {
    "a field": _response(b"ok", b"X-You-Sent: " + SECRET),
    "the reason": b"HTTP/1.1 401 not " + SECRET + b"\r\nContent-Length: 0\r\n\r\n",
    "a body": _response(b'{"error": "bad key ' + SECRET + b'"}'),
    "a body, twice": _response(SECRET + SECRET),
    "an error page": _response(b"<p>" + SECRET).replace(b"200 OK", b"500 Oops"),
    "a chunk": _chunks(b"data: ", b"key=" + SECRET, b"!"),
    "across chunks": _chunks(b"key=" + SECRET[:9], SECRET[9:20], SECRET[20:] + b"!"),
    "byte by byte in chunks": _chunks(*[bytes([byte]) for byte in SECRET]),
    "a chunk extension": _chunks(b"hello").replace(b"5\r\n", b"5;k=" + SECRET + b"\r\n"),
    "a trailer": _chunks(b"hello")[:-2] + b"X-Key: " + SECRET + b"\r\n\r\n",
    "an interim response": b"HTTP/1.1 103 Hints\r\nX: " + SECRET + b"\r\n\r\n" + _response(b"ok"),
}


@pytest.mark.parametrize("where", ECHOES)
def test_an_echo_is_overwritten(rig: Rig, where: str) -> None:
    got = _served(rig, ECHOES[where])
    assert SECRET not in got.replace(b"\r\n", b"")
    if "chunks" not in where:
        assert (
            got.endswith(ECHOES[where].replace(SECRET, STARS))
            or got == ECHOES[where].replace(SECRET, STARS)[: len(got)]
        )
    assert rig.audited()[0].error == "credential-echo"


@pytest.mark.parametrize("at", range(PART, len(SECRET)))
def test_an_echo_across_two_reads_is_overwritten(rig: Rig, at: int) -> None:
    response = _response(b"key=" + SECRET + b"!")
    got = _served(rig, response, cut=response.index(SECRET) + at)
    assert got == response.replace(SECRET, STARS)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_compressed_echo_is_not_passed(rig: Rig, coding: str) -> None:
    page = b"<p>" * 1000 + SECRET
    body = gzip.compress(page) if coding == "gzip" else zlib.compress(page)
    got = _served(rig, _response(body, b"Content-Encoding: " + coding.encode()))
    assert got.startswith(b"HTTP/1.1 502 ")
    assert b"sent the credential back" in got
    assert rig.audited()[0].rule == "credential-echo"


def _raw_deflate(data: bytes) -> bytes:
    squeezed = zlib.compressobj(9, zlib.DEFLATED, -15)
    return squeezed.compress(data) + squeezed.flush()


PAGE = b"<p>" * 1000 + SECRET
ODDLY_CODED = {
    "a second gzip member": (gzip.compress(b"hello") + gzip.compress(PAGE), [b"Content-Encoding: gzip"]),
    "raw deflate": (_raw_deflate(PAGE), [b"Content-Encoding: deflate"]),
    "two fields": (gzip.compress(PAGE), [b"Content-Encoding: gzip", b"Content-Encoding: identity"]),
    "two fields, the other way round": (
        gzip.compress(PAGE),
        [b"Content-Encoding: ", b"Content-Encoding: GZip"],
    ),
    "a list": (gzip.compress(PAGE), [b"Content-Encoding: identity, x-gzip"]),
    "twice": (gzip.compress(zlib.compress(PAGE)), [b"Content-Encoding: deflate, gzip"]),
    "twice, by two fields": (
        gzip.compress(zlib.compress(PAGE)),
        [b"Content-Encoding: deflate", b"Content-Encoding: gzip"],
    ),
}


@pytest.mark.parametrize("how", ODDLY_CODED)
@pytest.mark.parametrize("cut", [None, 1])
def test_an_echo_is_found_however_the_codings_are_written(rig: Rig, how: str, cut: int | None) -> None:
    body, fields = ODDLY_CODED[how]
    response = _response(body, *fields)
    got = _served(rig, response, cut=cut and response.index(b"\r\n\r\n") + 4 + cut)
    assert body not in got
    assert rig.audited()[0].rule == "credential-echo"


def test_an_echo_in_a_transfer_coding_is_found(rig: Rig) -> None:
    body = gzip.compress(PAGE)
    got = _served(rig, _chunks(body).replace(b"chunked", b"gzip, chunked"))
    assert body not in got
    assert rig.audited()[0].rule == "credential-echo"


@pytest.mark.parametrize(
    ("accept", "coding", "passes"),
    [
        (b"Accept-Encoding: gzip, br\r\n", b"br", True),
        (b"Accept-Encoding: gzip\r\nAccept-Encoding: zstd;q=0.5\r\n", b"zstd", True),
        (b"accept-encoding: *\r\n", b"br", True),
        (b"", b"br", False),
        (b"Accept-Encoding: gzip, br;q=0\r\n", b"br", False),
        (b"Accept-Encoding: gzip, br\r\n", b"zstd", False),
        (b"Accept-Encoding: gzip, br\r\n", b"gzip, mine", False),
        (b"Accept-Encoding: gzip, br\r\n", b"br, gzip", True),
    ],
)
def test_a_coding_we_cannot_undo_passes_only_if_the_client_asked_for_it(
    rig: Rig, accept: bytes, coding: bytes, passes: bool
) -> None:
    response = _response(b"not for our eyes", b"Content-Encoding: " + coding)
    rig.upstream(handler=response)
    rig.grants.add("api.test")
    head, body = rig.ask(b"GET / HTTP/1.1\r\nHost: api.test\r\n%b\r\n" % accept)
    if passes:
        assert head + body == response
    else:
        assert head.startswith(b"HTTP/1.1 502 ") and b"a coding nobody asked for" in body
        assert rig.audited()[0].error == "upstream-coding"


def test_a_coding_we_cannot_undo_is_nobodys_business_without_a_body_or_a_credential(rig: Rig) -> None:
    response = _response(b"not for our eyes", b"Content-Encoding: br")
    rig.upstream("other.test", response)
    assert b"".join(rig.ask(b"GET / HTTP/1.1\r\nHost: other.test\r\n\r\n", "other.test")) == response
    rig.upstream(handler=response[: response.index(b"\r\n\r\n") + 4])
    rig.grants.add("api.test")
    assert rig.ask(b"HEAD / HTTP/1.1\r\nHost: api.test\r\n\r\n")[0].startswith(b"HTTP/1.1 200 ")


def test_a_body_that_swells_beyond_reason_is_cut_unread(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflate, "PLENTY", 1 << 20)
    got = _served(rig, _response(gzip.compress(bytes(3 << 20) + SECRET), b"Content-Encoding: gzip"))
    assert got.startswith(b"HTTP/1.1 502 ") and b"swells" in got
    assert rig.audited()[0].error == "upstream-coding"


def test_a_body_coded_over_and_over_is_cut_unread(rig: Rig) -> None:
    got = _served(rig, _response(b"whatever", b"Content-Encoding: " + b"gzip, " * 2000 + b"gzip"))
    assert got.startswith(b"HTTP/1.1 502 ") and b"too many codings" in got


def test_a_compressed_body_that_says_nothing_is_not_kept_for_ever() -> None:
    """Behind a part of the secret come empty blocks, in which the rest might follow: they are counted."""
    squeeze = zlib.compressobj()
    mask = Mask((SECRET,))
    mask.begin_body(b"deflate")
    held = squeeze.compress(SECRET[:20]) + squeeze.flush(zlib.Z_FULL_FLUSH)
    assert mask.body(held, [(0, len(held))], False) == b""
    with pytest.raises(inflate.SwollenError):
        for _ in range(1024):
            blocks = squeeze.flush(zlib.Z_FULL_FLUSH) or b"\0\0\0\xff\xff"
            mask.body(blocks * 1024, [(0, len(blocks) * 1024)], False)


def test_much_that_is_squeezed_little_is_read_to_its_end(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflate, "PLENTY", 1 << 20)
    noise = random.Random(1).randbytes(3 << 20)
    whole = _response(gzip.compress(noise, 1), b"Content-Encoding: gzip")
    assert _served(rig, whole) == whole


def test_a_compressed_body_without_an_echo_passes_byte_for_byte(rig: Rig) -> None:
    response = _response(gzip.compress(b"<p>" * 100000), b"Content-Encoding: gzip")
    assert _served(rig, response) == response


def test_the_base64_of_a_basic_credential_is_overwritten_too(rig: Rig) -> None:
    basic = base64.b64encode(b"x-access-token:" + SECRET).decode()
    got = _served(rig, _response(b"you sent Basic " + basic.encode()), secret=f"Basic {basic}")
    assert basic.encode() not in got


def test_nothing_secret_is_in_the_audit_or_the_logs(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    rig.upstream()
    rig.grants.add("api.test")
    rig.ask(b"GET /p?key=%b HTTP/1.1\r\nHost: api.test\r\nX-Api-Key: client-secret-0001\r\n\r\n" % SECRET)
    rig.ask(b"GET / HTTP/1.1\r\nHost: api.test\r\nX-Api-Key : %b\r\n\r\n" % SECRET)
    rig.ask(b"GET https://u:%b@api.test/ HTTP/1.1\r\nHost: api.test\r\n\r\n" % SECRET)
    told = repr(rig.audited(3)) + caplog.text + repr(rig.grants.table["api.test"])
    assert CANARY not in told
    assert "client-secret" not in told


@pytest.mark.parametrize(
    "request_line",
    [
        b"CONNECT me:hunter22@api.test:443",
        b"GET http://me:hunter22@api.test/a@b",
        b"GET ftp://me:hunter22@api.test/",
        b"GET me:hunter22@api.test",
    ],
)
def test_a_password_in_a_target_is_not_audited(rig: Rig, request_line: bytes) -> None:
    client = rig.connect()
    client.send(request_line + b" HTTP/1.1\r\nHost: api.test\r\n\r\n")
    assert client.message()[0].startswith(b"HTTP/1.1 400 ")
    record = rig.audited()[0]
    assert "hunter22" not in repr(record)
    assert "api.test" in record.host


def test_a_long_target_is_not_audited_whole(rig: Rig) -> None:
    long = b"a" * 50_000
    for line, host in ((b"CONNECT %b:443" % long, b"x"), (b"GET ftp://%b" % long, long)):
        client = rig.connect()
        client.send(b"%b HTTP/1.1\r\nHost: %b\r\n\r\n" % (line, host))
        assert client.message()[0].startswith(b"HTTP/1.1 400 ")
    assert all(len(repr(record)) < 4000 for record in rig.audited(2))


@pytest.mark.parametrize("where", ["dialling", "sending"])
def test_a_traceback_while_the_secret_is_held_shows_nothing_of_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    """A bug in the data plane, with the request and its credential in the frames of the traceback."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    name = {
        "dialling": "dial.Dialler._connect",
        "sending": "exchange.Exchange.start",
    }[where]
    rig.upstream()
    rig.grants.add("api.test")
    client = rig.tunnel()
    monkeypatch.setattr(f"clauderon.proxy.{name}", fail)
    client.send(GET)
    rig.wait(lambda: bool(rig.problems))
    told = caplog.text
    for context in rig.problems:
        told += repr({key: value for key, value in context.items() if key != "exception"})
        told += "".join(traceback.format_exception(context["exception"]))
    assert "a bug" in told
    assert CANARY not in told and base64.b64encode(SECRET).decode() not in told
    rig.problems.clear()


def test_only_its_own_upstream_ever_sees_it(rig: Rig) -> None:
    names = ["api.test", "other.test", "plain.test", "sub.api.test"]
    upstreams = {name: rig.upstream(name, tls=name != "plain.test") for name in names}
    rig.grants.add("api.test")
    rig.ask(GET)
    rig.ask(b"GET / HTTP/1.1\r\nHost: other.test\r\n\r\n", "other.test")
    rig.ask(b"GET / HTTP/1.1\r\nHost: sub.api.test\r\n\r\n", "sub.api.test")
    client = rig.connect()
    client.send(b"GET http://plain.test/ HTTP/1.1\r\nHost: plain.test\r\n\r\n")
    client.message()
    for host in (b"other.test", b"api.test@other.test", b"other.test#api.test", b"api.test/.other.test"):
        rig.ask(b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % host)
        rig.ask(b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % host, "other.test")
    for name, upstream in upstreams.items():
        assert (SECRET in upstream.seen) == (name == "api.test"), name
    assert all(SECRET not in bytes(client.seen) for client in rig.clients)


def test_an_event_that_ends_like_the_secret_begins_is_not_delayed(rig: Rig) -> None:
    """`_served` reads what came before it lets the rest be sent."""
    response = _chunks(b"tasks", b" done")
    assert _served(rig, response, cut=response.index(b" done") - 5) == response


@given(
    texts=st.lists(
        st.one_of(st.just(SECRET), st.binary(max_size=40), st.sampled_from([SECRET[:9], SECRET[:30]]))
    ),
    cuts=st.lists(st.integers(1, 60), max_size=30),
    chunked=st.booleans(),
    sizes=st.lists(st.integers(1, 50), min_size=1, max_size=20),
)
def test_however_it_is_cut_no_secret_passes_and_nothing_else_changes(
    texts: list[bytes], cuts: list[int], chunked: bool, sizes: list[int]
) -> None:
    body = b"".join(texts)
    wire = _coded(body, sizes) if chunked else body
    framing = Chunked() if chunked else response_framing(len(body))
    mask = Mask((SECRET,))
    mask.begin_body(b"")
    got = b""
    for piece in _pieces(wire, cuts):
        framing.spans = []
        used = framing.feed(memoryview(piece))
        assert used == len(piece)
        got += mask.body(piece, framing.spans, framing.done)
    assert len(got) == len(wire)
    plain = _decoded(got) if chunked else got
    # Up to PART bytes may have left before the rest came.
    assert SECRET[PART:] not in plain.replace(SECRET[:PART] + b"*" * (len(SECRET) - PART), b"")
    for start, (mine, theirs) in enumerate(zip(plain, body, strict=True)):
        if mine != theirs:
            near = body[max(0, start - len(SECRET)) : start + len(SECRET)]
            assert mine == ord("*") and SECRET in near


@given(
    wire=st.sampled_from(
        [
            b"5\r\nhello\r\n0\r\nX-Key: %b\r\nX-More: %b\r\n\r\n",
            b"5;a=%b\r\nhello\r\n0;b=%b\r\n\r\n",
            b"5\r\nhello\r\n6;a=%b\r\nsk-ant\r\n0\r\nX-Key: %b\r\n\r\n",
        ]
    ),
    cuts=st.lists(st.integers(1, 40), max_size=30),
    compressed=st.booleans(),
)
def test_no_secret_passes_in_a_trailer_or_an_extension_however_it_is_cut(
    wire: bytes, cuts: list[int], compressed: bool
) -> None:
    wire %= (SECRET, SECRET)
    if compressed:
        squeezed = gzip.compress(b"hello")
        wire = wire.replace(b"5", b"%x" % len(squeezed), 1).replace(b"hello", squeezed, 1)
    framing, mask = Chunked(), Mask((SECRET,))
    mask.begin_body(b"gzip" if compressed else b"")
    got = b""
    for piece in _pieces(wire, cuts):
        framing.spans = []
        framing.feed(memoryview(piece))
        got += mask.body(piece, framing.spans, framing.done)
    assert got == wire.replace(SECRET, STARS)
    assert mask.found


@given(text=st.binary(max_size=3000), cuts=st.lists(st.integers(1, 60), max_size=50), planted=st.booleans())
def test_a_compressed_body_is_cut_before_the_whole_secret_is_out(
    text: bytes, cuts: list[int], planted: bool
) -> None:
    body = gzip.compress(text + SECRET + text) if planted else gzip.compress(text)
    mask = Mask((SECRET,))
    mask.begin_body(b"gzip")
    got = b""
    left = len(body)
    try:
        for piece in _pieces(body, cuts):
            left -= len(piece)
            got += mask.body(piece, [(0, len(piece))], left == 0)
    except EchoError:
        assert planted
    else:
        assert got == body and not planted
    inflated = zlib.decompressobj(31).decompress(got)
    assert SECRET not in inflated


def _coded(body: bytes, sizes: list[int]) -> bytes:
    made, at, turn = b"", 0, 0
    while at < len(body):
        part = body[at : at + sizes[turn % len(sizes)]]
        made += b"%x\r\n%b\r\n" % (len(part), part)
        at += len(part)
        turn += 1
    return made + b"0\r\n\r\n"


def _decoded(wire: bytes) -> bytes:
    body = b""
    while True:
        line, _, wire = wire.partition(b"\r\n")
        size = int(line, 16)
        if not size:
            return body
        body += wire[:size]
        wire = wire[size + 2 :]


def _pieces(wire: bytes, cuts: list[int]) -> list[bytes]:
    pieces, at = [], 0
    for cut in cuts:
        if at >= len(wire):
            break
        pieces.append(wire[at : at + cut])
        at += cut
    if at < len(wire):
        pieces.append(wire[at:])
    return pieces
