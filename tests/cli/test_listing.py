"""`list`: which columns, in which order, which sessions; and what is asked of docker and git for it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.cli.columns import COLUMNS, chosen, parse
from clauderon.errors import UsageError
from clauderon.paths import Home
from clauderon.usage_journal import Journal
from tests.standins.cli import Cli
from tests.standins.fleet import Fleet


@pytest.fixture
def fleet(home: Home, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """Four sessions: one works, two wait for different things, one has failed."""
    found = Fleet(home, tmp_path / "fleet", repo)
    found.add("busy", 1, activity="working", commits=["a", "b"], cpu="99.00%", group="nightly", budget="5")
    found.add("asks", 2, activity="waiting permission", cpu="1.00%", group="nightly")
    found.add("idle", 3, activity="waiting answer", cpu="0.00%")
    found.add("broken", 4, state="exited", status="Exited (3) 2 days ago", own_status="3")
    journal = Journal(home)
    for number, (name, nano) in enumerate((("busy", 2_500_000_000), ("idle", 500_000_000)), 1):
        journal.append(
            {
                "id": name, "end": True, "worker": "w", "time": 1e9, "session": f"{1 if name == 'busy' else 3:012x}",
                "name": name, "team": "", "api": "openai", "model": "m", "requests": number, "input": 1000 * number,
                "nano": nano,
            }
        )  # fmt: skip
    journal.close()
    monkeypatch.setenv("PATH", found.environ["PATH"])
    return found


def lines(cli: Cli, *words: str) -> list[list[str]]:
    return [line.split("\t") for line in cli.ok("list", "--format", "tsv", *words).text.splitlines()]


def names(cli: Cli, *words: str) -> list[str]:
    return [line[0] for line in lines(cli, "--columns", "name", *words)]


def test_columns_come_as_they_are_asked_for(cli: Cli, fleet: Fleet) -> None:
    assert lines(cli, "--columns", "cost,name,waiting_for,group,budget") == [
        ["2.5", "busy", "", "nightly", "5.0"],
        ["0.0", "asks", "permission", "nightly", ""],
        ["0.5", "idle", "answer", "", ""],
        ["0.0", "broken", "", "", ""],
    ]
    table = cli.ok("list", "--columns", "name,state,activity,cost,ahead").text.splitlines()
    assert [line.split() for line in table] == [
        ["NAME", "STATE", "ACTIVITY", "COST", "COMMITS"],
        ["busy", "running", "working", "$2.50", "2"],
        ["asks", "running", "waiting", "(permission)"],
        ["idle", "running", "waiting", "(answer)", "$0.50"],
        ["broken", "failed", "(3)"],
    ]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (["state=waiting"], ["asks", "idle"]),
        (["state=running"], ["busy", "asks", "idle"]),
        (["state!=running"], ["broken"]),
        (["state=failed,working"], ["busy", "broken"]),
        (["waiting_for=permission"], ["asks"]),
        (["name=*u*", "state=working"], ["busy"]),
        (["cost>1"], ["busy"]),
        (["cost<1"], ["asks", "idle", "broken"]),
        (["group="], ["idle", "broken"]),
        (["ahead>0"], ["busy"]),
        (["name=nosuch"], []),
    ],
)
def test_filters_narrow_it(cli: Cli, fleet: Fleet, filters: list[str], found: list[str]) -> None:
    assert names(cli, *(word for one in filters for word in ("--filter", one))) == found


@pytest.mark.parametrize(
    ("sort", "first"),
    [
        ("name", "asks"),
        ("-name", "idle"),
        ("-cost", "busy"),
        ("-cpu", "busy"),
        ("cpu", "idle"),
        ("-tokens", "idle"),
    ],
)
def test_it_is_sorted(cli: Cli, fleet: Fleet, sort: str, first: str) -> None:
    assert names(cli, "--sort", sort)[0] == first
    # What has no value is last either way.
    assert sort.lstrip("-") != "cpu" or names(cli, "--sort", sort)[-1] == "broken"


def test_docker_is_asked_once_and_measures_only_where_that_is_asked_for(cli: Cli, fleet: Fleet) -> None:
    def asked(*words: str) -> list[str]:
        (fleet.place / "asked").write_text("")
        cli.ok("list", *words)
        return [line.split()[0] for line in (fleet.place / "asked").read_text().splitlines()]

    assert asked() == ["container"]
    assert asked("--json") == ["container"]
    assert asked("--columns", "name,cost,last,requests,ahead,files") == ["container"]
    assert asked("--columns", "name,mem", "--filter", "cpu>50") == ["container", "stats"]


def test_json_has_everything(cli: Cli, fleet: Fleet) -> None:
    row = cli.ok("list", "--json").json["data"][1]
    assert {one.field for one in COLUMNS.values()} <= set(row)
    assert (row["state"], row["activity"], row["waiting_for"]) == ("running", "waiting", "permission")
    assert row["cpu_percent"] is None
    assert cli.ok("list", "--json", "--columns", "cpu").json["data"][1]["cpu_percent"] == 1.0


def test_the_usual_table_is_a_line_a_session_at_80_columns(cli: Cli, fleet: Fleet) -> None:
    fleet.add(
        "a-name-that-is-rather-long-for-this",
        5,
        activity="waiting permission",
        image="registry.test/a/long/image:tag",
    )
    text = cli.ok("list", env={"COLUMNS": "80"}).text
    assert len(text.splitlines()) == 6


@pytest.mark.parametrize(
    "words",
    [
        ["--columns", "nmae"], ["--columns", ""], ["--sort", "planet"], ["--filter", "state"], ["--filter", "x=1"],
        ["--filter", "cost>much"], ["--names", "--columns", "name"],
    ],
)  # fmt: skip
def test_what_no_column_is_called_is_a_usage_error(cli: Cli, fleet: Fleet, words: list[str]) -> None:
    answer = cli("list", *words)
    assert (answer.status == 2 and "hint:" in answer.error) or "--names" in words, repr(answer)


VALUES = st.none() | st.integers(0, 9) | st.floats(0, 9)


@given(rows=st.lists(VALUES, max_size=8), falling=st.booleans())
def test_no_row_is_lost_by_sorting(rows: list[float | None], falling: bool) -> None:
    wanted = parse(None, f"{'-' if falling else ''}cost", ())
    found = [row["cost"] for row in chosen([{"cost": value} for value in rows], wanted)]
    valued = [value for value in found if value is not None]
    assert sorted(valued, reverse=falling) == valued
    assert len(found) == len(rows) and None not in found[: len(valued)]


@given(text=st.text(max_size=30))
def test_any_filter_is_read_or_refused(text: str) -> None:
    try:
        wanted = parse(None, None, [text])
    except UsageError:
        return
    assert wanted.filters[0].key in COLUMNS


def test_the_page_names_every_column() -> None:
    """Seen to fail with a column missing from the page, where `list --help` sends people."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "looking.md").read_text()
    sentence = page.partition("The columns are ")[2].partition("\n\n")[0]
    assert re.findall(r"`(\w+)`", sentence) == list(COLUMNS)
