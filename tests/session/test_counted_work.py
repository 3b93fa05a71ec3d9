"""How much work branches have: counted by one question a repository, and again only where a branch moved."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clauderon.paths import Home
from clauderon.session import counted_work
from clauderon.session.context import Context
from clauderon.session.counted_work import Work
from clauderon.store import Store
from tests.standins.fleet import Fleet
from tests.standins.repository import git


@pytest.fixture
def fleet(home: Home, repo: Path, tmp_path: Path) -> Fleet:
    return Fleet(home, tmp_path / "fleet", repo)


@pytest.fixture
def context(fleet: Fleet) -> Iterator[Context]:
    with Store.open(fleet.home) as store:
        yield fleet.context(store)


def counted(context: Context) -> dict[str, tuple[int | None, int | None]]:
    """By name: commits ahead, and files."""
    sessions = context.store.all()
    names = {session.id: session.name for session in sessions}
    found = counted_work.finish(context, counted_work.begin(context, sessions))
    return {names[key]: (work.ahead, work.files) for key, work in found.items()}


def log_of_git(fleet: Fleet, tmp_path: Path) -> Path:
    """Every git that is started from now on, a line each."""
    log = tmp_path / "git-log"
    log.touch()
    program = fleet.bin / "git"
    program.write_text(f'#!/bin/sh\necho "$*" >>{log}\nPATH=${{PATH#*:}} exec git "$@"\n')
    program.chmod(0o755)
    return log


def test_commits_and_the_files_they_change_are_counted(fleet: Fleet, context: Context) -> None:
    fleet.add("none", 1, commits=[])
    fleet.add("two", 2, commits=["a", "b"])
    git("branch", "clauderon/none", "main", cwd=fleet._repo)  # type: ignore[arg-type]
    assert counted(context) == {"none": (0, 0), "two": (2, 2)}


def test_a_branch_that_did_not_move_is_not_counted_again(
    fleet: Fleet, context: Context, tmp_path: Path
) -> None:
    for number in range(1, 4):
        fleet.add(f"s{number}", number, commits=[f"f{number}"])
    log = log_of_git(fleet, tmp_path)
    assert set(counted(context).values()) == {(1, 1)}
    assert len(log.read_text().splitlines()) == 5
    log.write_text("")
    assert set(counted(context).values()) == {(1, 1)}
    assert len(log.read_text().splitlines()) == 1  # one repository, one question


def test_a_branch_that_moved_and_a_base_that_moved_are_counted_again(
    fleet: Fleet, context: Context, repo: Path
) -> None:
    fleet.add("one", 1, commits=["a"])
    two = fleet.add("two", 2, commits=["b"])
    counted(context)
    git("update-ref", "refs/heads/clauderon/one", "clauderon/two", cwd=repo)
    tip = git("rev-parse", "clauderon/two", cwd=repo).strip()
    context.store.update(two.id, base=tip)
    assert counted(context) == {"one": (1, 1), "two": (0, 0)}


def test_two_sessions_of_one_tip_each_have_their_own_number(
    fleet: Fleet, context: Context, repo: Path
) -> None:
    one = fleet.add("one", 1, commits=["a", "b"])
    git("branch", "clauderon/other", "clauderon/one", cwd=repo)
    fleet.add("other", 2, base=git("rev-parse", "clauderon/one~1", cwd=repo).strip())
    assert counted(context) == {"one": (2, 2), "other": (1, 1)}
    assert counted_work.count(context, one) == Work(git("rev-parse", "clauderon/one", cwd=repo).strip(), 2, 2)


def test_what_is_gone_is_not_known_and_costs_no_other_its_number(fleet: Fleet, context: Context) -> None:
    fleet.add("whole", 1, commits=["a"])
    no_branch = fleet.add("no-branch", 2)
    fleet.add("no-base", 3, commits=["b"], base="1" * 40)
    no_repository = fleet.add("no-repository", 4, git_dir="/none/.git")
    assert counted(context) == {"whole": (1, 1), "no-base": (None, None)}
    assert counted_work.count(context, no_branch) is None
    assert counted_work.count(context, no_repository) is None


def test_a_changed_name_of_a_file_may_hold_anything(fleet: Fleet, context: Context, repo: Path) -> None:
    """Also what the answer is taken apart by: a commit's name, and the colon of a raw line."""
    tip = git("rev-parse", "HEAD", cwd=repo).strip()
    fleet.add("two", 2, commits=[tip, "a\nb", ":100644 x"])
    assert counted(context) == {"two": (3, 3)}


def test_many_are_counted_side_by_side(fleet: Fleet, context: Context) -> None:
    """More than are asked about at once."""
    for number in range(1, counted_work._AT_ONCE + 3):
        fleet.add(f"s{number}", number, commits=[f"f{number}"])
    assert list(counted(context).values()) == [(1, 1)] * (counted_work._AT_ONCE + 2)
