"""Which cache volumes `reconcile` takes for its own, and for left behind."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clauderon.paths import Home
from clauderon.session import volumes


@pytest.mark.parametrize(
    ("repo", "name", "users", "goes"),
    [
        ("gone", "", (), True),
        ("here", "", (), False),
        ("gone", "", ("clauderon-x",), False),
        ("gone", "clauderon-sccache-0123456789ab", (), False),
        ("gone", "somebody's", (), False),
    ],
    ids=["of a repository that is gone", "there", "in use", "another home's", "another name"],
)
def test_only_what_this_home_made_for_a_repository_that_is_gone_goes(
    tmp_path: Path, repo: str, name: str, users: tuple[str, ...], goes: bool
) -> None:
    """The label alone is no proof: two homes may share an engine. Seen to go with the name unchecked."""
    (tmp_path / "here").mkdir()
    place = str(tmp_path / repo)
    made: list[str] = []
    docker = SimpleNamespace(volume_list=lambda _: {made[0]: place}, volume_users=lambda _: users)
    context: Any = SimpleNamespace(home=Home(tmp_path / "home"), docker=docker)
    made.append(name or volumes.own_name(context, place, volumes.SCCACHE))
    assert volumes.left(context) == (made if goes else [])
