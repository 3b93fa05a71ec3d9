"""`clean-cache`: which volumes are ours, who holds them, and that nothing goes while one is in use."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from clauderon import cache, spec
from clauderon.errors import Refused
from clauderon.session.context import Context
from tests.session.conftest import context, engine, said
from tests.session.stand_ins import Engine

__all__ = ["context", "engine", "said"]

FIRST, *OTHERS = spec.SHARED_VOLUMES
OWN = f"{FIRST}-0123456789ab"
SIZES = {FIRST: ("1GB", 0), OWN: ("2GB", 0), "clauderon-other-0123456789ab": ("", 0), "x": ("", 0)}
Users = dict[str, list[str]]


@pytest.fixture
def users(engine: Engine) -> Users:
    """The names of the containers that hold each volume; none at first."""
    found: Users = {}
    engine.verbs["disk_usage"] = lambda: SIZES
    engine.verbs["volume_users"] = lambda name: [SimpleNamespace(name=user) for user in found.get(name, ())]
    return found


def test_ours_are_the_shared_ones_and_those_of_a_repository(context: Context, users: Users) -> None:
    found = {one.name: one for one in cache.usage(context)}
    assert set(found) == {FIRST, *OTHERS, OWN}
    assert found[FIRST].row()["size"] == "1GB"
    assert found[OWN].purpose.endswith("(one repository's)")
    assert (found[OTHERS[0]].exists, found[OTHERS[0]].row()["size"]) == (False, "-")


def test_one_in_use_keeps_all(context: Context, engine: Engine, users: Users) -> None:
    users[OWN] = ["clauderon-b", "clauderon-a"]
    with pytest.raises(Refused) as caught:
        cache.clean(context)
    assert caught.value.why == "the volumes are in use by clauderon-a, clauderon-b"
    assert engine.called == []


def test_those_that_are_there_go_and_are_forgotten(context: Context, engine: Engine, users: Users) -> None:
    context.store.keep_fact("volumes", {"x": 1})
    removed: list[str] = []

    def volume_remove(name: str) -> bool:
        removed.append(name)
        return True

    engine.verbs["volume_remove"] = volume_remove
    cleaned = cache.clean(context)
    assert removed == [FIRST, OWN] == [one.name for one in cleaned if one.removed]
    assert context.store.fact("volumes") is None
