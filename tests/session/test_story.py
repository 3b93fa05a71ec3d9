"""What a report tells of a session, counted from the files of the proxy and the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from clauderon import events
from clauderon.paths import Home
from clauderon.session.story import Story, stories
from clauderon.store import Store
from tests.standins.cli import Cli
from tests.standins.fleet import Fleet


@pytest.fixture
def fleet(home: Home, repo: Path, tmp_path: Path) -> Fleet:
    made = Fleet(home, tmp_path / "fleet", repo)
    one = made.add("one", 1, commits=["a", "b"], group="night")
    two = made.add("two", 2, group="night", archived=True)
    for _ in range(3):
        made.request(one, credential="anthropic")
    made.request(one, host="evil.example", path="/x", refused=True, rule="deny *", repeated=4)
    made.request(two, host="other.example")
    made.use(one, model="small", nano=10**6)
    made.use(one, model="large")
    made.use(two)
    (home.session_dir(one.id)).mkdir(parents=True, exist_ok=True)
    (home.session_dir(one.id) / "prompt").write_text("Fix it\nnow")
    return made


def told(fleet: Fleet, *names: str) -> list[Story]:
    with Store.open(fleet.home) as store:
        return stories(fleet.context(store), names)


def test_everything_of_one_session_and_nothing_of_another(fleet: Fleet) -> None:
    (one,) = told(fleet, "one")
    assert one.prompt == "Fix it\nnow"
    assert [commit.subject for commit in one.commits] == ["Add a", "Add b"]
    assert [(host.host, host.requests, host.refusals) for host in one.asked.hosts] == [
        ("evil.example", 4, 4),
        ("api.anthropic.com", 3, 0),
    ]
    assert [(refusal.rule, refusal.target, refusal.times) for refusal in one.asked.refusals] == [
        ("deny *", "evil.example/x", 4)
    ]
    assert one.asked.hosts[1].credentials == ("anthropic",)
    assert list(one.models()) == ["large", "small"]
    assert sorted({moment.kind for moment in one.timeline}) == ["commit", "created", "refused", "request"]
    assert "no longer a worktree" in one.problem


def test_a_group_is_one_report(cli: Cli, fleet: Fleet) -> None:
    env = {"PATH": fleet.environ["PATH"]}
    text = cli.ok("report", "--group", "night", env=env).text
    assert text.startswith("## clauderon report: `group night`\n")
    assert "2 sessions used together: 3 answers, " in text
    assert [line for line in text.splitlines() if line.startswith("### ")] == ["### `one`", "### `two`"]


def test_a_page_is_written_where_one_says(cli: Cli, fleet: Fleet, tmp_path: Path) -> None:
    env = {"PATH": fleet.environ["PATH"]}
    answer = cli.ok("report", "one", "--html", str(tmp_path / "report.html"), env=env)
    assert answer.text == ""
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
    failed = cli("report", "one", "--html", str(tmp_path / "none" / "x.html"), env=env)
    assert failed.status == 4
    assert "hint: " in failed.error
    assert cli("report", "nobody", env=env).status == 3
    assert cli("report", env=env).status == 2


def test_what_happened_is_in_the_timeline(fleet: Fleet) -> None:
    """The file of events, as the proxy and the commands write it."""
    events.append(
        fleet.home, "waiting", {"session": "one", "id": f"{1:012x}", "branch": "x", "for": "permission"}
    )
    events.append(fleet.home, "budget", {"session": f"{1:012x}", "share": 0.8, "limit": 5.0})
    events.append(fleet.home, "waiting", {"session": "two", "id": f"{2:012x}"})
    (one,) = told(fleet, "one")
    found = [(moment.kind, moment.text) for moment in one.timeline if moment.kind in ("waiting", "budget")]
    assert found == [("waiting", "for permission"), ("budget", "share 0.8, limit 5.0")]
