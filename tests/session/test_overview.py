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


def test_a_container_does_not_date_its_activity_into_the_future(fleet: Fleet) -> None:
    one = fleet.add("one", 1)
    word = fleet.home.session_home(one.id) / ".clauderon/activity"
    os.utime(word, (4e9, 4e9))
    activity = seen(fleet)["one"].last_activity
    assert activity is not None
    assert activity <= time.time()
