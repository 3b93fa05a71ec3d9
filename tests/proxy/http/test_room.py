"""Which large texts are looked through in full is told by a few bytes of each."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.proxy.http import needles, room
from clauderon.proxy.http.needles import Needles

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
SIZE = 3 * room.LARGE
PREFIXES = ("ghp_", "github_pat_11ABC_", "sk-ant-api03-", "corp-2024-", "a/b+c=", "pass word! ")


def _packed(seed: int, size: int = SIZE) -> bytearray:
    return bytearray(random.Random(seed).randbytes(size))


@pytest.mark.parametrize("prefix", PREFIXES[:-1])
def test_a_packed_file_is_not_sampled(prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is most of what is large, and that look is a fifth of the other."""
    looking = Needles(prefix + LETTERS[:40])
    sampled: list[int] = []

    def find(_self: object, text: bytes) -> list[object]:
        sampled.append(len(text))
        return []

    monkeypatch.setattr(needles._Sampler, "find", find)
    for seed in range(20):
        looking.find(_packed(seed, 1 << 16))
    assert len(sampled) <= 4
    looking.find(b"x" * SIZE)
    looking.find(_packed(0, 200))
    assert {SIZE, 200} <= set(sampled), "what may hold a form is, and what is small"


@given(st.sampled_from(PREFIXES), st.integers(0, 1 << 30), st.binary(max_size=200), st.integers(1, 100))
def test_what_is_sampled_depends_on_the_kind_of_secret_alone(
    prefix: str, seed: int, around: bytes, times: int
) -> None:
    letters = random.Random(seed)
    one, other = (Needles(prefix + "".join(letters.choices(LETTERS, k=40)), "user") for _ in range(2))
    text = bytes(_packed(seed)) + around * times
    assert one._room.in_text(text) == other._room.in_text(text)
