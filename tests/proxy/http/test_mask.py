"""However a response is cut, framed or coded: no secret passes in it, and what holds none passes byte for byte."""

from __future__ import annotations

import base64
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
from clauderon.proxy.http.squeezed import SqueezedMask
from tests.proxy.http.codings import CODINGS, TOKENS, cuts, pieces


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
    for piece in pieces(wire, at):
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
