"""What is quick says nothing, and what takes long is named once."""

from __future__ import annotations

import time

import pytest

from clauderon.session.delayed_progress import slow
from tests.session.stand_ins import Said


def test_what_is_over_in_time_says_nothing(said: Said) -> None:
    with slow(said, "Waiting", patience_s=30):
        pass
    assert said.titles == []


def test_what_takes_long_is_named_once_and_though_it_fails(said: Said) -> None:
    with pytest.raises(ValueError), slow(said, "Waiting", patience_s=0.01):
        until = time.monotonic() + 30
        while not said.titles and time.monotonic() < until:
            time.sleep(0.01)
        raise ValueError
    assert said.titles == ["Waiting"]
