"""The one source of facts: what it says of each session, and what it asks for that."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from clauderon.paths import Home
from clauderon.session import overview
from clauderon.session.overview import Overview
from clauderon.store import Store
from tests.standins.fleet import Fleet
from tests.standins.repository import git


@pytest.fixture
def fleet(home: Home, repo: Path, tmp_path: Path) -> Fleet:
    return Fleet(home, tmp_path / "fleet", repo)


def seen(fleet: Fleet, *, stats: bool = False) -> dict[str, Overview]:
    with Store.open(fleet.home) as store:
        found = overview.overview(fleet.context(store), stats=stats)
    return {one.view.session.name: one for one in found}


def test_what_is_known_of_one_session(fleet: Fleet) -> None:
    one = fleet.add("one", 1, commits=["a", "b", "a2"])
    fleet.request(one)
    fleet.request(one, refused=True, bytes_up=0, bytes_down=0)
    fleet.use(one, nano=1_500_000_000)
    row = seen(fleet, stats=True)["one"].row()
    assert (row["word"], row["ahead"], row["files"]) == ("working", 3, 3)
    assert (row["cpu_percent"], row["memory_bytes"]) == (12.5, 128 << 20)
    assert (row["requests"], row["refusals"], row["bytes_up"], row["bytes_down"]) == (2, 1, 100, 900)
    assert (row["tokens"], row["cost"], row["model_requests"]) == (1015, 1.5, 1)
    assert time.time() - row["last_activity"] < 60


def test_any_number_of_sessions_is_one_docker_call_and_one_more_for_cpu_and_memory(fleet: Fleet) -> None:
    for number in range(1, 101):
        fleet.add(
            f"s{number}", number, state="running" if number % 3 else "exited", status="Exited (0) 1 day ago"
        )
    assert len(seen(fleet)) == 100
    assert [line.split()[0] for line in fleet.asked] == ["container"]
    found = seen(fleet, stats=True)
    assert [line.split()[0] for line in fleet.asked[1:]] == ["container", "stats"]
    # Of those alone that run.
    assert len(fleet.asked[-1].split()) - len(fleet.asked[-1].split("stats")[0].split()) < 100
    assert found["s1"].stats is not None
    assert found["s3"].stats is None


@pytest.mark.parametrize(
    ("container", "word"),
    [
        ({"activity": "waiting"}, "waiting"),
        ({"activity": ""}, "running"),
        ({"activity": "nonsense \x1b[2J"}, "running"),
        ({"state": "exited", "status": "Exited (0) 2 days ago", "own_status": "0"}, "done"),
        ({"state": "exited", "status": "Exited (3) 2 days ago", "own_status": "3"}, "failed"),
        ({"state": "exited", "status": "Exited (143) 2 days ago", "activity": "stopped"}, "stopped"),
        ({"state": "exited", "status": "Exited (143) 1 day ago", "timed_out": True}, "timed-out"),
        ({"state": "paused", "activity": "working"}, "paused"),
    ],
)
def test_what_it_does_in_a_word(fleet: Fleet, container: dict[str, str], word: str) -> None:
    fleet.add("one", 1, **container)  # type: ignore[arg-type]
    assert seen(fleet)["one"].word == word


def test_a_branch_that_did_not_move_is_not_counted_again(fleet: Fleet, tmp_path: Path) -> None:
    for number in range(1, 4):
        fleet.add(f"s{number}", number, commits=[f"f{number}"])
    log = tmp_path / "git-log"
    program = fleet.bin / "git"
    program.write_text(f'#!/bin/sh\necho "$*" >>{log}\nPATH=${{PATH#*:}} exec git "$@"\n')
    program.chmod(0o755)
    assert [one.row()["ahead"] for one in seen(fleet).values()] == [1, 1, 1]
    assert len(log.read_text().splitlines()) == 5
    log.unlink()
    assert [one.row()["ahead"] for one in seen(fleet).values()] == [1, 1, 1]
    assert len(log.read_text().splitlines()) == 1  # one repository, one question


def test_what_is_gone_is_not_known_and_does_no_harm(fleet: Fleet, repo: Path) -> None:
    fleet.add("whole", 1, commits=["a"])
    fleet.add("no-branch", 2)
    fleet.add("no-base", 3, commits=["b"], base="1" * 40)
    fleet.add("no-repository", 4, git_dir="/none/.git")
    found = seen(fleet)
    assert (found["whole"].row()["ahead"], found["whole"].row()["files"]) == (1, 1)
    assert found["no-branch"].work is None
    assert (found["no-base"].row()["ahead"], found["no-base"].row()["files"]) == (None, None)
    assert found["no-repository"].work is None


def test_a_changed_name_of_a_file_may_hold_anything(fleet: Fleet, repo: Path) -> None:
    one = fleet.add("one", 1)
    tip = git("rev-parse", "HEAD", cwd=repo).strip()
    fleet.add("two", 2, commits=[f"{tip}", "a\nb", ":100644 x"])
    assert seen(fleet)["two"].row()["files"] == 3
    assert one.base == tip


def test_a_container_does_not_date_its_activity_into_the_future(fleet: Fleet) -> None:
    one = fleet.add("one", 1)
    word = fleet.home.session_home(one.id) / ".clauderon/activity"
    os.utime(word, (4e9, 4e9))
    activity = seen(fleet)["one"].last_activity
    assert activity is not None
    assert activity <= time.time()
