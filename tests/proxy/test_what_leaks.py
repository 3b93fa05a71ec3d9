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

from clauderon.proxy.http import inflate
from tests.proxy.peers import GET, Peer
from tests.proxy.rig import CANARY, Rig

SECRET = CANARY.encode()
STARS = b"*" * len(SECRET)


def _response(body: bytes, *fields: bytes) -> bytes:
    lines = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _chunks(*parts: bytes) -> bytes:
    coded = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + coded + b"0\r\n\r\n"


def _served(
    rig: Rig,
    response: bytes,
    *,
    cut: int | None = None,
    blind: bool = False,
    secret: str = CANARY,
    model_api: bool = False,
) -> bytes:
    """What the client gets when its credentialed host answers with `response`, in two writes if `cut`.

    The second comes when the client has seen something of the first, or, if it is `blind`, a little later.
    """

    came = threading.Event()

    def handle(peer: Peer) -> None:
        while True:
            peer.message()
            peer.send(response[:cut])
            if cut is not None:
                assert came.wait(0.05 if blind else 30) or blind
                peer.send(response[cut:])

    rig.upstream(handler=handle)
    rig.grants.add("api.test", value=secret, model_api=model_api)
    client = rig.tunnel()
    client.send(GET)
    if cut is None or blind:
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
    """Seen to fail with a mask that finds nothing."""
    got = _served(rig, ECHOES[where])
    assert SECRET not in got.replace(b"\r\n", b"")
    if "chunks" not in where:
        assert (
            got.endswith(ECHOES[where].replace(SECRET, STARS))
            or got == ECHOES[where].replace(SECRET, STARS)[: len(got)]
        )
    assert rig.audited()[0].error == "credential-echo"


@pytest.mark.parametrize("at", [1, 2, 9, 20, len(SECRET) - 1])
def test_an_echo_across_two_reads_is_overwritten(rig: Rig, at: int) -> None:
    """Seen to fail with a mask that finds nothing."""
    response = _response(b"key=" + SECRET + b"!")
    got = _served(rig, response, cut=response.index(SECRET) + at)
    assert got == response.replace(SECRET, STARS)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_compressed_echo_is_not_passed(rig: Rig, coding: str) -> None:
    """Seen to fail with a mask that finds nothing."""
    page = b"<p>" * 1000 + SECRET
    body = gzip.compress(page) if coding == "gzip" else zlib.compress(page)
    got = _served(rig, _response(body, b"Content-Encoding: " + coding.encode()))
    assert got.startswith(b"HTTP/1.1 502 ")
    assert b"sent a compressed answer, which it was asked not to send" in got
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
    """Seen to fail with a mask that finds nothing."""
    body, fields = ODDLY_CODED[how]
    response = _response(body, *fields)
    got = _served(rig, response, cut=cut and response.index(b"\r\n\r\n") + 4 + cut, blind=True)
    assert body not in got
    assert rig.audited()[0].rule == "credential-echo"


def test_an_echo_in_a_transfer_coding_is_found(rig: Rig) -> None:
    body = gzip.compress(PAGE)
    got = _served(rig, _chunks(body).replace(b"chunked", b"gzip, chunked"))
    assert body not in got
    assert rig.audited()[0].rule == "credential-echo"


@pytest.mark.parametrize("coding", [b"br", b"zstd", b"gzip, mine", b"br, gzip"])
@pytest.mark.parametrize("accept", [b"", b"Accept-Encoding: gzip, br, zstd\r\n", b"accept-encoding: *\r\n"])
def test_a_coding_we_cannot_undo_does_not_pass_whatever_the_client_asks_for(
    rig: Rig, accept: bytes, coding: bytes
) -> None:
    """Seen to fail when a body in such a coding was looked at as if it were plain."""
    rig.upstream(handler=_response(b"not for our eyes", b"Content-Encoding: " + coding))
    rig.grants.add("api.test")
    head, body = rig.ask(b"GET / HTTP/1.1\r\nHost: api.test\r\n%b\r\n" % accept)
    assert head.startswith(b"HTTP/1.1 502 ") and b"a coding that was not asked for" in body
    assert rig.audited()[0].error == "upstream-coding"


@pytest.mark.parametrize(
    "fields",
    [
        b"Accept-Encoding: gzip, deflate, br, zstd",
        b"accept-encoding: gzip\r\nACCEPT-ENCODING: br;q=1.0",
        b"Accept_Encoding: gzip",
    ],
)
def test_a_request_with_a_credential_asks_for_no_coding(rig: Rig, fields: bytes) -> None:
    """How long a compressed echo is would tell how much of a guess beside it is right.

    Seen to fail when the field passed.
    """
    upstream = rig.upstream()
    rig.upstream("other.test")
    rig.grants.add("api.test")
    rig.ask(b"GET / HTTP/1.1\r\nHost: api.test\r\n%b\r\nX-Api-Key: placeholder\r\n\r\n" % fields)
    assert upstream.seen.lower().count(b"encoding") == 1
    assert b"\r\nAccept-Encoding: identity\r\nx-api-key: " + SECRET in upstream.seen


def test_a_coding_we_cannot_undo_passes_without_a_credential_and_without_a_models_body(rig: Rig) -> None:
    response = _response(b"not for our eyes", b"Content-Encoding: br")
    rig.upstream("other.test", response)
    assert b"".join(rig.ask(b"GET / HTTP/1.1\r\nHost: other.test\r\n\r\n", "other.test")) == response
    rig.upstream(handler=response[: response.index(b"\r\n\r\n") + 4])
    rig.grants.add("api.test", model_api=True)
    assert rig.ask(b"HEAD / HTTP/1.1\r\nHost: api.test\r\n\r\n")[0].startswith(b"HTTP/1.1 200 ")


def test_a_body_that_swells_beyond_reason_is_cut_unread(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflate, "PLENTY", 1 << 20)
    got = _served(rig, _response(gzip.compress(bytes(3 << 20) + SECRET), b"Content-Encoding: gzip"))
    assert got.startswith(b"HTTP/1.1 502 ") and b"too large to look into" in got
    assert rig.audited()[0].error == "upstream-coding"


def test_a_body_coded_over_and_over_is_cut_unread(rig: Rig) -> None:
    got = _served(rig, _response(b"whatever", b"Content-Encoding: " + b"gzip, " * 2000 + b"gzip"))
    assert got.startswith(b"HTTP/1.1 502 ") and b"too many codings" in got


@pytest.mark.parametrize("model_api", [False, True])
def test_a_large_compressed_body_passes_from_a_model_alone(rig: Rig, model_api: bool) -> None:
    """Elsewhere all of it would have to wait. What a client is told is the same as of an echo."""
    noise = random.Random(1).randbytes(3 << 20)
    whole = _response(gzip.compress(noise, 1), b"Content-Encoding: gzip")
    got = _served(rig, whole, model_api=model_api)
    assert (got == whole) == model_api
    if not model_api:
        echo = _served(rig, _response(gzip.compress(SECRET), b"Content-Encoding: gzip"))
        assert got == echo and got.startswith(b"HTTP/1.1 502 ")


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_models_compressed_events_pass_one_by_one(rig: Rig, coding: str) -> None:
    squeeze = zlib.compressobj(wbits=31 if coding == "gzip" else 15)
    parts = [squeeze.compress(b"data: %d\n\n" % n) + squeeze.flush(zlib.Z_SYNC_FLUSH) for n in range(2)]
    response = _chunks(*parts).replace(b"\r\n\r\n", b"\r\nContent-Encoding: %b\r\n\r\n" % coding.encode(), 1)
    second = response.index(parts[1]) - 4
    assert _served(rig, response, cut=second, model_api=True) == response


def test_a_compressed_body_without_an_echo_passes_byte_for_byte(rig: Rig) -> None:
    response = _response(gzip.compress(b"<p>" * 100000), b"Content-Encoding: gzip")
    assert _served(rig, response) == response


def test_the_base64_of_a_basic_credential_is_overwritten_too(rig: Rig) -> None:
    """Seen to fail with a mask that finds nothing."""
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
        "dialling": "net.dial.Dialler._connect",
        "sending": "dataplane.exchange.Exchange.start",
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


def test_an_event_or_a_line_is_not_delayed(rig: Rig) -> None:
    """`_served` reads what came before it lets the rest be sent: ends of lines are in no secret, so nothing waits."""
    for first in (b"data: tasks\n\n", b"data: sk-ant-test\r\n\r\n", b'{"at": 5}\n', b'{"at": 5}'):
        response = _chunks(first, b" done")
        assert _served(rig, response, cut=response.index(b" done") - 3) == response
