"""What this home has put into the shared volumes: read back, and nothing that is damaged."""

from __future__ import annotations

import json

import pytest

from clauderon.caching import ledger
from clauderon.paths import Home

COMMIT, CRATE = "a" * 40, "b" * 64


def test_what_was_added_is_found_in_its_folder(home: Home) -> None:
    first, second = ledger.new_folder(), ledger.new_folder()
    assert first != second
    ledger.add(home, "v", first, {COMMIT: 10})
    ledger.add(home, "v", second, {CRATE: 5})
    ledger.add(home, "w", first, {CRATE: 1})
    found = ledger.read(home)
    assert (found.folder("v", COMMIT), found.folder("v", CRATE)) == (first, second)
    assert found.folder("w", COMMIT) is None
    assert (found.size("v"), found.size("w"), found.size("none")) == (15, 1, 0)


def test_after_the_volumes_it_goes_too(home: Home) -> None:
    ledger.add(home, "v", ledger.new_folder(), {COMMIT: 10})
    for _ in range(2):
        ledger.forget(home)
        assert ledger.read(home).volumes == {}


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "3", '{"v": 3}', '{"v": {"x": 3}}', '{"v": {"x": ["y", "z"]}}']
)
def test_a_damaged_one_is_an_empty_one(home: Home, text: str) -> None:
    home.caches.mkdir(parents=True, exist_ok=True)
    (home.caches / "ledger.json").write_text(text)
    assert not any(ledger.read(home).volumes.values())


@pytest.mark.parametrize(
    ("content", "folder"),
    [("../x", "0" * 16), (COMMIT, "../../etc"), (COMMIT.upper(), "0" * 16), (COMMIT, "0" * 15)],
)
def test_no_entry_leads_elsewhere(home: Home, content: str, folder: str) -> None:
    home.caches.mkdir(parents=True, exist_ok=True)
    (home.caches / "ledger.json").write_text(json.dumps({"v": {content: [folder, 1]}}))
    assert ledger.read(home).folder("v", content) is None
