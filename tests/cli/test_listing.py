"""`list`: which columns, in which order, which sessions; and what is asked of docker and git for it."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon import events
from clauderon.cli.columns import COLUMNS, chosen, parse
from clauderon.cli.listing import _bell
from clauderon.errors import UsageError
from clauderon.paths import Home
from clauderon.usage_journal import Journal
from tests.standins.cli import Cli
from tests.standins.fleet import Fleet
from tests.standins.terminal import on_a_terminal


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


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("xterm-256color", "\x1b]9;clauderon: asks waits for \\x1b]52;c;AA\\x07\a\x1b]9;clauderon: busy is done\a\a"),
        ("screen", "\a"),
        ("dumb", ""),
    ],
)  # fmt: skip
def test_watching_calls_whoever_watches_and_no_container_drives_the_terminal(
    cli: Cli, fleet: Fleet, term: str, expected: str
) -> None:
    """Seen to fail without the call, and with the event's words as they are: the clipboard was set (OSC 52)."""
    told: list[float] = []

    def tell(shown: str) -> bool:
        if "busy" in shown and not told:
            told.append(time.monotonic())
            hostile = {"session": "asks", "waiting_for": "\x1b]52;c;AA\x07"}
            events.append(fleet.home, "waiting", hostile)
            events.append(fleet.home, "done", {"session": "busy", "exit_status": 0})
            events.append(fleet.home, "stop", {"session": "busy"})
        if not told:
            return False
        called = "\a" in shown if expected else time.monotonic() - told[0] > 2.5
        return called and shown.rindex("busy") > shown.find("\a")

    seen = on_a_terminal(
        cli.command("list", "--watch"),
        environ={**cli.environment(), "TERM": term},
        stdout=True,
        interrupt=tell,
    )
    assert seen.status == 130
    drawn = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", seen.shown)
    assert "".join(re.findall(r"\x1b\][^\a]*\a|\a", drawn)) == expected


def test_a_bell_suits_its_terminal() -> None:
    assert _bell(["a is done", "b is done"], "rxvt-unicode").count("\x1b]777;notify;clauderon;") == 2
    assert _bell(["a is done", "b is done"], "linux") == _bell(["a is done"], "tmux-256color") == "\a"


def test_watching_into_a_pipe_rings_nothing(cli: Cli, fleet: Fleet) -> None:
    with subprocess.Popen(
        cli.command("list", "--watch"), stdout=subprocess.PIPE, env=cli.environment(), cwd=cli.cwd
    ) as child:
        assert child.stdout is not None
        shown = child.stdout.readline()
        events.append(fleet.home, "done", {"session": "busy", "exit_status": 0})
        while shown.count(b"broken") < 3:
            shown += child.stdout.readline()
        child.send_signal(signal.SIGINT)
    assert b"\a" not in shown and b"\x1b" not in shown
