"""Large texts in which a secret is looked for: it is found wherever it is, and the rest is passed over quickly."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from clauderon.proxy.http import needles, room
from clauderon.proxy.http.mask import Mask
from clauderon.proxy.http.needles import Needles

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
SIZE = 3 * room.LARGE
PREFIXES = ("ghp_", "github_pat_11ABC_", "sk-ant-api03-", "corp-2024-", "a/b+c=", "pass word! ")


def _packed(seed: int, size: int = SIZE) -> bytearray:
    return bytearray(random.Random(seed).randbytes(size))


@given(
    st.sampled_from(PREFIXES),
    st.text(LETTERS, min_size=30, max_size=60),
    st.sampled_from([None, "x-access-token"]),
    st.integers(0, SIZE - 1),
    st.integers(0, 1 << 30),
    st.sampled_from([None, 0, ord("x"), ord(" ")]),
)
def test_every_form_is_found_in_a_large_text(
    prefix: str, unknown: str, user: str | None, at: int, seed: int, filler: int | None
) -> None:
    """Seen to fail where a run was asked for that is longer than the shortest form by one look."""
    secret = prefix + unknown
    looking = Needles(secret, user)
    for form in needles._forms(secret, user):
        text = _packed(seed) if filler is None else bytearray([filler]) * SIZE
        start = min(at, SIZE - len(form.text))
        text[start : start + len(form.text)] = form.text
        clean = bytes(Mask(looking).body(bytes(text), [(0, SIZE)], True))
        assert form.text not in clean, (form, start)
