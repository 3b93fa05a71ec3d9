"""Codings are undone as the bytes come, in pieces of bounded size, and a bomb is none."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.proxy.http import inflate
from clauderon.proxy.http.inflate import Inflater, SwollenError, UnreadableError, codings_of


def raw(text: bytes) -> bytes:
    return zlib.compress(text)[2:-4]


def twice(text: bytes) -> bytes:
    return gzip.compress(zlib.compress(text))


@pytest.mark.parametrize(
    ("codings", "make"),
    [
        ([b"gzip"], gzip.compress), ([b"x-gzip"], gzip.compress), ([b"deflate"], zlib.compress), ([b"deflate"], raw),
        ([b"deflate", b"gzip"], twice), ([], bytes),
        ([b"gzip"], lambda text: gzip.compress(text[:5]) + gzip.compress(text[5:]) + b"\0" * 9),
    ],
)  # fmt: skip
@given(text=st.binary(max_size=200), size=st.integers(1, 30))
def test_a_body_is_undone_however_it_is_cut(
    codings: list[bytes], make: object, text: bytes, size: int
) -> None:
    coded, inflater = make(text), Inflater(codings)  # type: ignore[operator]
    parts = [coded[at : at + size] for at in range(0, len(coded), size)]
    assert b"".join(piece for part in parts for piece in inflater.feed(part)) == text


def test_a_large_text_comes_in_pieces() -> None:
    pieces = list(Inflater([b"gzip"]).feed(gzip.compress(b"x" * (5 << 20))))
    assert sum(map(len, pieces)) == 5 << 20 and max(map(len, pieces)) <= 1 << 20


def test_what_grows_beyond_reason_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflate, "PLENTY", 1 << 20)
    with pytest.raises(SwollenError):
        list(Inflater([b"gzip"]).feed(gzip.compress(b"x" * (3 << 20))))
    with pytest.raises(SwollenError):
        Inflater([b"gzip"] * 4)


@pytest.mark.parametrize("coding", [b"br", b"zstd", b"compress", b"GZIP"])
def test_another_coding_cannot_be_undone(coding: bytes) -> None:
    with pytest.raises(UnreadableError):
        Inflater([coding])


@pytest.mark.parametrize(
    ("field", "codings"),
    [
        (b"", []), (b"identity", []), (b"gzip", [b"gzip"]), (b" GZip ,\tdeflate", [b"gzip", b"deflate"]),
        (b"identity, br,,", [b"br"]),
    ],
)  # fmt: skip
def test_the_names_of_a_field(field: bytes, codings: list[bytes]) -> None:
    assert codings_of(field) == codings
