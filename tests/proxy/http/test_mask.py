"""However a response is cut, framed or coded: no secret passes in it, and what holds none passes byte for byte."""

from __future__ import annotations

import base64
import gzip
import html
import json
import random
import string
import zlib
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from clauderon.proxy.http.framing import Chunked, response_framing
from clauderon.proxy.http.inflate import SwollenError
from clauderon.proxy.http.mask import Mask
from clauderon.proxy.http.needles import SHORTEST, Needles, _forms, _unknown
from clauderon.proxy.http.squeezed import EchoError, SqueezedMask

TOKENS = {
    "github": "ghp_Ab3dE5gH7jK9mN1pQ3rS5tU7vW9xY1zA2bC4",
    "fine-grained": "github_pat_11ABCDEFG0abcDEFghiJKL_" + "Zx9Yw8Vu7Ts6Rq5Po4Nm3Lk2Ji1Hg0Fe" * 2,
    "anthropic": "sk-ant-api03-" + "a1-B2_c3D4" * 9 + "xyzAA",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
    "hexadecimal": "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    "base64 of nothing else": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzz+zzzzKEY=",
    "with other characters": 'Tr0ub4dor&3 "quoted" \\ and <more>, 50% of/it?',
    "a short password": "hunter2!x",
}
GSON = {ord(letter): f"\\u{ord(letter):04x}" for letter in "&<>='"}
CODINGS = {
    "plain": bytes,
    "lower": bytes.lower,
    "upper": bytes.upper,
    "basic": lambda secret: base64.b64encode(b"x-access-token:" + secret),
    "base64": base64.b64encode,
    "base64, 1": lambda secret: base64.b64encode(b"a" + secret + b"z"),
    "base64, 2": lambda secret: base64.b64encode(b"ab" + secret + b"yz"),
    "base64, 3": lambda secret: base64.urlsafe_b64encode(b"abcd" + secret + b"xyz"),
    "url": lambda secret: quote(secret, safe="").encode(),
    "json": lambda secret: json.dumps(secret.decode())[1:-1].encode(),
    "json of Gson": lambda secret: json.dumps(secret.decode())[1:-1].translate(GSON).encode(),
    "html of Go": lambda secret: (
        html.escape(secret.decode()).replace("&quot;", "&#34;").replace("&#x27;", "&#39;").encode()
    ),
    "basic, url": lambda secret: quote(base64.b64encode(b"x-access-token:" + secret), safe="").encode(),
    "basic, base64": lambda secret: base64.b64encode(
        b"a" + base64.b64encode(b"x-access-token:" + secret) + b"z"
    ),
    "a field's name": lambda secret: b"-".join(part.capitalize() for part in secret.split(b"-")),
}
cuts = st.lists(st.integers(1, 60), max_size=40)


def _pieces(wire: bytes, at: list[int]) -> list[bytes]:
    pieces = []
    for size in at:
        pieces.append(wire[:size])
        wire = wire[size:]
    return [piece for piece in [*pieces, wire] if piece]


def _chunked(body: bytes, sizes: list[int]) -> bytes:
    made, turn = b"", 0
    while body:
        part, body = body[: sizes[turn % len(sizes)]], body[sizes[turn % len(sizes)] :]
        made += b"%x\r\n%b\r\n" % (len(part), part)
        turn += 1
    return made + b"0\r\n\r\n"


def _unchunked(wire: bytes) -> bytes:
    body = b""
    while True:
        line, _, wire = wire.partition(b"\r\n")
        size = int(line.partition(b";")[0], 16)
        if not size:
            return body
        body += wire[:size]
        wire = wire[size + 2 :]


def _passed(mask: Mask | SqueezedMask, wire: bytes, at: list[int], chunked: bool) -> list[bytes]:
    """What passes after each piece."""
    framing = Chunked() if chunked else response_framing(len(wire))
    passed = []
    for piece in _pieces(wire, at):
        framing.spans = []
        used = framing.feed(memoryview(piece))
        assert used == len(piece)
        passed.append(bytes(mask.body(memoryview(piece), framing.spans, framing.done)))
    return passed


texts = st.lists(
    st.one_of(
        st.just(b"\0"),
        st.binary(max_size=40),
        st.sampled_from([b"ghp_Ab3dE", b"sk-ant-api03-a1", b"==", b"*"]),
    )
)


@pytest.mark.parametrize("kind", TOKENS)
@pytest.mark.parametrize("coding", CODINGS)
@given(around=texts, at=cuts, sizes=st.none() | st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_no_secret_passes_however_it_is_coded_and_cut(
    kind: str, coding: str, around: list[bytes], at: list[int], sizes: list[int] | None
) -> None:
    """A zero byte is a place of the secret. All but its own bytes are the same, and every one of its is overwritten.

    Seen to fail when nothing waited for the next read.
    """
    secret = TOKENS[kind].encode()
    form = CODINGS[coding](secret)
    parts = [b"\0", *around]
    body = b"".join(form if part == b"\0" else part for part in parts)
    wire = _chunked(body, sizes) if sizes else body
    mask = Mask(Needles(TOKENS[kind], "x-access-token"))
    got = b"".join(_passed(mask, wire, at, bool(sizes)))
    assert len(got) == len(wire) and mask.found
    plain = _unchunked(got) if sizes else got
    place = 0
    for part in parts:
        mine = plain[place : place + len(form if part == b"\0" else part)]
        if part == b"\0":
            # Background the secret's own, a character may be all of what was around it.
            assert mine.count(b"*") >= len(mine) - (30 if "bas" in coding else 0)
        place += len(mine)
    assert secret not in plain and form not in plain


@pytest.mark.parametrize("kind", TOKENS)
@given(
    body=st.binary(max_size=400),
    at=cuts,
    sizes=st.none() | st.lists(st.integers(1, 50), min_size=1, max_size=9),
)
def test_what_holds_no_secret_passes_byte_for_byte_and_waits_for_its_shape_alone(
    kind: str, body: bytes, at: list[int], sizes: list[int] | None
) -> None:
    """A secret's own letters wait as long as any others in their place.

    Seen to fail when only what begins the secret waited.
    """
    token = TOKENS[kind]
    start = token.encode()[: len(token) // 3]
    shape = bytes(
        ord("a") if byte in b"abcdefghijklmnopqrstuvwxyz" else byte for byte in body + b"a" * len(start)
    )
    views = []
    for text in (body + start, body + b"a" * len(start), shape):
        wire = _chunked(text, sizes) if sizes else text
        passed = _passed(Mask(Needles(token)), wire, at, bool(sizes))
        assert b"".join(passed) == wire
        views.append([len(piece) for piece in passed])
    if " " not in token:
        assert views[1] == views[2]
        assume(all(byte not in b' "' for byte in start))
        assert views[0] == views[1]


@given(
    wire=st.sampled_from(
        [
            b"5\r\nhello\r\n0\r\nX-Key: %b\r\nX-More: %b\r\n\r\n",
            b"5;a=%b\r\nhello\r\n0;b=%b\r\n\r\n",
            b"5\r\nhello\r\n6;a=%b\r\nsk-ant\r\n0\r\nX-Key: %b\r\n\r\n",
        ]
    ),
    at=cuts,
    kind=st.sampled_from(["github", "anthropic", "jwt", "hexadecimal"]),
)
def test_no_secret_passes_in_a_trailer_or_an_extension_however_it_is_cut(
    wire: bytes, at: list[int], kind: str
) -> None:
    """Seen to fail with framing passed as it is, and when a cut line of it did not wait."""
    secret = TOKENS[kind].encode()
    mask = Mask(Needles(TOKENS[kind]))
    got = b"".join(_passed(mask, wire % (secret, secret), at, True))
    stars = b"*" * len(secret)
    assert got == wire % (stars, stars)
    assert mask.found


def _squeezed(how: str, text: bytes) -> bytes:
    if how == "raw deflate":
        squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
        return squeeze.compress(text) + squeeze.flush()
    if how == "flushed at each byte":
        squeeze = zlib.compressobj(wbits=31)
        parts = [squeeze.compress(bytes([byte])) + squeeze.flush(zlib.Z_SYNC_FLUSH) for byte in text]
        return b"".join(parts) + squeeze.flush()
    return gzip.compress(text) if how == "gzip" else zlib.compress(text)


@pytest.mark.parametrize("how", ["gzip", "deflate", "raw deflate", "flushed at each byte"])
@pytest.mark.parametrize("streams", [False, True])
@given(
    text=st.binary(max_size=300),
    at=cuts,
    planted=st.booleans(),
    kind=st.sampled_from(list(TOKENS)),
    coding=st.sampled_from(list(CODINGS)),
)
def test_a_compressed_body_passes_whole_or_without_a_part_of_the_secret(
    how: str, streams: bool, text: bytes, at: list[int], planted: bool, kind: str, coding: str
) -> None:
    """Of one that streams, what has passed has no more of the secret than stood before it; of others nothing passes.

    Seen to fail when a find ended nothing, and when the end of the text did not wait.
    """
    form = CODINGS[coding](TOKENS[kind].encode())
    body = _squeezed(how, text + form + text if planted else text)
    field = ["gzip" if how == "flushed at each byte" else how.rpartition(" ")[2]]
    mask = SqueezedMask(
        Needles(TOKENS[kind], "x-access-token"), [each.encode() for each in field], streams=streams
    )
    got = mask.head(b"head")
    try:
        for each in _passed_until(mask, body, at):
            got += each
    except EchoError:
        assert planted
    else:
        assert got == b"head" + body and not planted
        return
    if not streams:
        assert got == b""
        return
    inflater = zlib.decompressobj({"gzip": 31, "deflate": 15}[field[0]] if how != "raw deflate" else -15)
    assert len(inflater.decompress(got[4:])) <= len(text) + 24


def _passed_until(mask: SqueezedMask, body: bytes, at: list[int]) -> list[bytes]:
    """As `_passed`, one by one, so that what passed before an error is not lost."""
    framing = response_framing(len(body))
    for piece in _pieces(body, at):
        framing.spans = []
        framing.feed(memoryview(piece))
        yield mask.body(memoryview(piece), framing.spans, framing.done)


def test_a_small_body_that_becomes_a_large_text_does_not_pass() -> None:
    body = gzip.compress(bytes(17 << 20))
    mask = SqueezedMask(Needles(TOKENS["github"]), [b"gzip"], streams=False)
    with pytest.raises(SwollenError):
        mask.body(body, [(0, len(body))], True)


def test_how_base64_is_escaped_does_not_show_in_what_waits() -> None:
    """It has characters that a URL escapes, or none, by the secret. Of 81 it has 128, the end of a step of 64.

    That the secret itself has some belongs to its kind, which shows.
    """
    numbers = random.Random(5)
    secrets = ["".join(numbers.choice(string.ascii_letters + "~_-") for _ in range(80)) for _ in range(50)]
    secrets = [f"~{each}" for each in secrets]
    assert (
        len(
            {
                len(quote(base64.b64encode(f"x-access-token:{each}".encode()), safe="")) > 128
                for each in secrets
            }
        )
        == 2
    )
    assert len({Needles(each, "x-access-token").keep for each in secrets}) == 1


def test_what_waits_is_bounded() -> None:
    """Framing without end between the letters of a word, and a compressed body in which nothing ends.

    Seen to fail without each of the two bounds.
    """
    line = b"1;" + b"x" * 1000 + b"\r\na\r\n"
    mask, framing = Mask(Needles("a" * 16000 + "B1")), Chunked()
    with pytest.raises(SwollenError):
        for _ in range(2000):
            framing.spans = []
            framing.feed(line)
            mask.body(line, framing.spans, False)
    squeezed = SqueezedMask(Needles(TOKENS["github"]), [b"deflate"], streams=True)
    squeeze = zlib.compressobj()
    squeezed.body(
        data := squeeze.compress(b"word") + squeeze.flush(zlib.Z_FULL_FLUSH), [(0, len(data))], False
    )
    with pytest.raises(SwollenError):
        for _ in range(1024):
            empty = b"\0\0\0\xff\xff" * 1024
            squeezed.body(empty, [(0, len(empty))], False)


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=SHORTEST, max_size=300))
def test_every_piece_that_is_looked_for_is_unknown_or_a_whole_secret(secret: str) -> None:
    assume(secret.strip())
    needles = Needles(secret, "user")
    assert _forms(secret, "user")[0][:3] == (secret.encode(), _unknown(secret), len(secret))
    for sampler in needles._samplers:
        for uses in sampler._pieces.values():
            for form, at in uses:
                assert at >= form.first and at + sampler._size <= form.last
                assert sampler.weak or sampler._size >= form.size
    assert needles.find(b"<" + secret.encode() + b">")
