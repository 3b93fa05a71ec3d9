"""What is remembered of the commit a session began from, and the ledger of the volumes."""

from __future__ import annotations

from pathlib import Path

import pytest

from clauderon.caching import ledger, wanted
from clauderon.caching.lockfile import GitDependency, Named
from clauderon.paths import Home
from tests.caching.test_lockfile import COMMIT, package

ID = "0123456789ab"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "state")
    made.create()
    return made


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    made = tmp_path / "worktree"
    made.mkdir()
    return made


def names(home: Home) -> set[str]:
    return {crate.name for crate in wanted.recall(home, ID).crates}


def test_the_locks_of_two_levels_are_read(home: Home, worktree: Path) -> None:
    for number, directory in enumerate(["", "rust", "crates/one", "a/b/c"]):
        (worktree / directory).mkdir(parents=True, exist_ok=True)
        (worktree / directory / "Cargo.lock").write_text(package(name=f"n{number}"))
    wanted.remember(home, ID, worktree)
    assert names(home) == {"n0", "n1", "n2"}


def test_what_the_session_writes_into_its_lock_afterwards_names_nothing(home: Home, worktree: Path) -> None:
    """Seen to name what it says where the lock itself is read again."""
    (worktree / "Cargo.lock").write_text(package())
    wanted.remember(home, ID, worktree)
    (worktree / "Cargo.lock").write_text(package(name="evil"))
    assert names(home) == {"tiny"}


def test_a_repository_without_a_lock_leaves_no_trace(home: Home, worktree: Path) -> None:
    (worktree / "README.md").write_text("x")
    wanted.remember(home, ID, worktree)
    assert not home.caches.exists()
    assert wanted.recall(home, ID) == Named()


@pytest.mark.parametrize("kind", ["link", "directory", "huge"])
def test_a_lock_that_is_no_file_of_reasonable_size_is_not_read(home: Home, worktree: Path, kind: str) -> None:
    """Seen to be read, the link's target too, with the file opened by its path."""
    lock = worktree / "Cargo.lock"
    if kind == "link":
        (worktree.parent / "outside").write_text(package())
        lock.symlink_to(worktree.parent / "outside")
    elif kind == "directory":
        lock.mkdir()
    else:
        with lock.open("w") as file:
            file.truncate(1 << 40)
    wanted.remember(home, ID, worktree)
    assert names(home) == set()


def test_locks_are_read_up_to_a_bound_together(
    home: Home, worktree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """64 of 16 MiB that say nothing cost a `create` a minute. Seen to be read without the bound."""
    monkeypatch.setattr(wanted, "_ALL_LOCKS_BYTES", 2 * len(package(name="n0")))
    for number in range(4):
        (worktree / f"d{number}").mkdir()
        (worktree / f"d{number}" / "Cargo.lock").write_text(package(name=f"n{number}"))
    wanted.remember(home, ID, worktree)
    assert names(home) == {"n0", "n1"}


def test_a_dependency_that_was_given_up_is_wanted_no_more(home: Home, worktree: Path) -> None:
    """Seen to be looked through at each stop without it."""
    one, other = (f'[[package]]\nsource = "git+https://git.test/{n}#{COMMIT}"\n' for n in "ab")
    (worktree / "Cargo.lock").write_text(package() + one + other)
    wanted.remember(home, ID, worktree)
    wanted.give_up(home, ID, GitDependency("https://git.test/a", COMMIT))
    assert wanted.recall(home, ID).git == (GitDependency("https://git.test/b", COMMIT),)
    assert names(home) == {"tiny"}


def test_what_is_kept_of_sessions_that_are_gone_is_known(home: Home, worktree: Path) -> None:
    """Half a gigabyte of a killed command's stayed for ever."""
    (worktree / "Cargo.lock").write_text(package())
    wanted.remember(home, ID, worktree)
    wanted.scratch_of(home, "ba9876543210").mkdir()
    ledger.add(home, "volume", "0123456789abcdef", {})
    assert wanted.strangers(home, [ID]) == [wanted.scratch_of(home, "ba9876543210")]
    assert len(wanted.strangers(home, [])) == 2


@pytest.mark.parametrize("text", ["", "{", "[]", '{"v": 1}', '{"v": {"x": 1}}', '{"v": {"ab": ["../x", 1]}}'])
def test_a_damaged_ledger_leads_nowhere(home: Home, text: str) -> None:
    """Seen to raise, and to lead to `../x`, with the checks off."""
    home.caches.mkdir(parents=True)
    (home.caches / "ledger.json").write_text(text)
    assert all(not entries for entries in ledger.read(home).volumes.values())


def test_content_is_of_one_volume(home: Home) -> None:
    ledger.add(home, "volume-one", "0123456789abcdef", {"ab" * 32: 7})
    assert ledger.read(home).folder("volume-one", "ab" * 32) == "0123456789abcdef"
    assert ledger.read(home).folder("volume-two", "ab" * 32) is None
    assert ledger.read(home).size("volume-one") == 7
    ledger.forget(home)
    assert ledger.read(home).folder("volume-one", "ab" * 32) is None
