"""What a session's home is led to: only what its own locks name, and only in the volumes that are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from clauderon import paths
from clauderon.caching import crates, folders, gitdeps, ledger, lending, lockfile, wanted
from clauderon.confined import Tree
from clauderon.paths import Home

ID = "0123456789ab"
IO = "registry+https://github.com/rust-lang/crates.io-index"
SUM, OTHER = "a" * 64, "b" * 64
URL, COMMIT = "https://git.test/o/other", "c" * 40
FOLDER = "0123456789abcdef"


def name(home: Home, sum_: str = SUM, *, git: str = "") -> None:
    """Have the session's lock name a crate, and a git dependency."""
    crate = lockfile.Crate("tiny", "1.0.0", IO, sum_)
    dependencies = (lockfile.GitDependency(git, COMMIT),) if git else ()
    wanted._write(home, ID, lockfile.Named((crate,), dependencies))


def lend(home: Home, registry: str = "registry-id", git: str = "git-id") -> Path:
    """The session's home, after it was lent what the two volumes hold."""
    top = home.root / "inside"
    lending.lend(home, ID, Tree(top), registry=registry, git=git)
    return top


def fill(home: Home) -> None:
    ledger.add(home, "registry-id", FOLDER, {SUM: 1})
    ledger.add(home, "git-id", FOLDER, {COMMIT: 1})


def link_of(top: Path) -> Path:
    return top / crates.CACHE / folders.registry(IO)[0] / "tiny-1.0.0.crate"


def borrowed_by(top: Path) -> Path:
    return top / gitdeps.DB / folders.git(URL)[-1] / "objects/info/alternates"


def test_a_crate_and_a_git_dependency_of_the_lock_lead_into_the_volumes(home: Home) -> None:
    fill(home)
    name(home, git=URL)
    top = lend(home)
    target = str(link_of(top).readlink())
    assert target.startswith(f"{paths.CONTAINER_CARGO_HOME}/") and SUM in target and FOLDER in target
    assert FOLDER in borrowed_by(top).read_text()


@pytest.mark.parametrize(("registry", "git"), [("", ""), ("another", "another"), ("git-id", "registry-id")])
def test_nothing_leads_into_a_volume_that_is_not_there_or_was_made_anew(
    home: Home, registry: str, git: str
) -> None:
    fill(home)
    name(home, git=URL)
    top = lend(home, registry, git)
    assert not link_of(top).is_symlink() and not borrowed_by(top).exists()


def test_another_content_of_the_same_crate_is_not_lent(home: Home) -> None:
    fill(home)
    name(home, OTHER)
    assert not link_of(lend(home)).is_symlink()


def test_what_leads_nowhere_now_is_taken_away_at_the_next_start(home: Home) -> None:
    fill(home)
    name(home, git=URL)
    lend(home)
    top = lend(home, registry="", git="")
    assert not link_of(top).is_symlink() and not borrowed_by(top).exists()


def test_a_lock_that_names_what_is_no_url_keeps_nothing_else_from_being_lent(home: Home) -> None:
    """Seen to raise from `create` with the URL's parser asked as it is."""
    fill(home)
    name(home, git="https://[x")
    assert link_of(lend(home)).is_symlink()
