"""A short run of `scripts/fuzz` with the same inputs every time; the long one is for the night."""

from __future__ import annotations

import pytest

from tests.proxy import fuzz


@pytest.mark.parametrize("kind", fuzz.KINDS)
def test_nothing_is_found(kind: str) -> None:
    fuzz.run(kind, 1500, seed=1)


def test_nothing_is_left_behind() -> None:
    before = fuzz.leftovers()
    fuzz.run("relay", 300, seed=5000)
    assert fuzz.leftovers() <= before
