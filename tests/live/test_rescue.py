"""Deleted work brought back into another session, on a real engine."""

from __future__ import annotations

import pytest

from tests.standins.engine import Engine

pytestmark = pytest.mark.live


def test_a_session_merges_what_a_deleted_one_left(engine: Engine) -> None:
    engine.scripted()
    engine.repo()
    for name in ("one", "two"):
        engine.create(name)
    engine.inside("one", "echo precious > uncommitted.txt")
    engine.inside("one", "echo '*.env' >.gitignore; echo own >secret.env")
    refused = engine.cli("delete", engine.name("one"))
    # Before anything goes, and also where nobody can be asked.
    assert "but not 1 ignored file (secret.env): --keep-ignored" in refused.error
    assert "the agent's conversation is not kept: --keep-home" in refused.error
    answer = engine.cli.ok("delete", engine.name("one"), "--force", "--keep-home")
    assert f"rescue restore '{engine.name('one')}'" in answer.error
    done = engine.cli.ok(
        "rescue", "restore", engine.name("one"), "--into", engine.name("two"), "--json"
    ).json["data"]
    engine.inside("two", f"git merge --no-edit 'rescue/{engine.name('one')}'")
    assert engine.inside("two", "cat uncommitted.txt; git status --porcelain").strip() == "precious"
    assert done["next"].startswith("clauderon exec ")
    assert list((engine.home.root / "rescue").glob("*/home"))
