"""What was left out is looked at once."""

from __future__ import annotations

import zlib
from typing import Any

import pytest

from clauderon.airlock import leftout, quarantine
from clauderon.airlock.loose import copy_loose
from clauderon.airlock.packs import copy_pack
from clauderon.errors import Refused
from tests.airlock.bounds import MIB
from tests.airlock.forging import (
    BLOB,
    loose,
    pack,
    pack_header,
    whole,
)
from tests.airlock.world import World


def test_an_object_that_is_not_what_its_name_says_is_inflated_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing remembered each sync inflates it again. Seen to fail when nothing was remembered."""
    looked: list[str] = []
    real = copy_loose

    def counted(*args: object, **options: object) -> bool:
        looked.append(str(args[3]))
        return bool(real(*args, **options))  # type: ignore[arg-type]

    monkeypatch.setattr(quarantine, "copy_loose", counted)
    forged = loose(world.private, "blob", bytes(8 * MIB), name="ab" * 20)
    for number in range(3):
        commit = world.commit(f"{number}.txt")
        assert world.sync().new == commit
    assert looked.count(forged) == 1
    loose(world.private, "blob", b"other", name=forged)
    world.commit("more.txt")
    world.sync()
    assert looked.count(forged) == 2


def test_a_damaged_pack_is_indexed_once_and_said_each_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to fail when nothing was remembered."""
    looked: list[object] = []
    real = copy_pack

    def counted(*args: Any, **options: Any) -> int:
        looked.append(args)
        return real(*args, **options)

    monkeypatch.setattr(quarantine, "copy_pack", counted)
    pack(world.private, [whole(BLOB, b"x"), pack_header(5, 3) + zlib.compress(b"abc")])
    for number in range(3):
        world.commit(f"{number}.txt")
        (note,) = world.sync().notes
        assert note == "a pack inside is damaged and was skipped: an entry is of no kind that git knows"
    assert len(looked) == 1


def test_crowds_of_damaged_objects_are_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen to fail without the bound."""
    monkeypatch.setattr(leftout, "MOST", 20)
    world.commit()
    for number in range(30):
        loose(world.private, "blob", b"x", name=f"{number:040x}")
    with pytest.raises(Refused, match="damaged objects"):
        world.sync()
