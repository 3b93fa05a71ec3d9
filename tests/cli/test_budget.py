"""`budget`: what it shows, what it changes, and what it refuses."""

from __future__ import annotations

import pytest

from clauderon import rights
from clauderon.paths import Home
from clauderon.session.request import _budget
from clauderon.store import Store
from clauderon.usage_journal import Journal
from tests.standins.cli import Cli
from tests.standins.sessions import a_session


@pytest.fixture
def used(home: Home) -> Home:
    """A session of a group, that has spent a dollar and a half."""
    with Store.open(home) as store:
        store.update(a_session(home, "fix-bug", "0123456789ab").id, budget="5", group="nightly")
    journal = Journal(home)
    journal.append(
        {
            "id": "x", "end": True, "worker": "w", "time": 1e9, "session": "0123456789ab", "name": "fix-bug",
            "team": "nightly", "api": "openai", "model": "m", "requests": 1, "nano": 1_500_000_000,
        }
    )  # fmt: skip
    journal.close()
    return home


def budget_of(home: Home) -> str:
    with Store.open(home) as store:
        return store.named("fix-bug").budget


def test_a_session_is_shown_and_changed(cli: Cli, used: Home) -> None:
    assert cli.ok("budget", "fix-bug").text == "Session fix-bug has spent $1.50 of $5.00.\n"
    assert cli.ok("budget", "fix-bug", "+2.50").text == "Session fix-bug has spent $1.50 of $7.50.\n"
    assert budget_of(used) == "7.5"
    for word, kept in (("=3", "3"), ("10.00", "10"), ("none", "")):
        cli.ok("budget", "fix-bug", word)
        assert budget_of(used) == kept
    assert cli.ok("budget", "fix-bug").text == "Session fix-bug has spent $1.50 and has no limit.\n"


def test_a_group_has_the_configurations_until_it_is_given_its_own(cli: Cli, used: Home) -> None:
    used.config.write_text("[limits]\ngroup_budget = 20\n")
    assert cli.ok("budget", "--group", "nightly", "--json").json["data"]["budget"] == 20
    assert cli.ok("budget", "--group", "nightly", "+5", "--json").json["data"]["budget"] == 25
    assert cli.ok("budget", "--group", "nightly", "none", "--json").json["data"]["budget"] is None
    # One that nothing is in yet can be given one.
    later = cli.ok("budget", "--group", "later", "3")
    assert later.text == "Group later has spent $0.00 of $3.00.\n"
    assert later.error.startswith("No session is in group later. ")
    assert cli.ok("budget", "--group", "nightyl").error.startswith("No session is in group nightyl. ")
    assert cli.ok("budget", "--group", "nightly").error == ""


def test_every_budget_is_listed(cli: Cli, used: Home) -> None:
    used.config.write_text('[limits]\ngroup_budget = "20"\ndaily_budget = 2.5\n')
    rows = [line.split("\t") for line in cli.ok("budget", "--format", "tsv").text.splitlines()]
    assert rows[0] == ["fix-bug", "session", "$1.50", "$5.00", "$3.50", ""]
    assert rows[1] == ["nightly", "group", "$1.50", "$20.00", "$18.50", ""]
    assert rows[2][1:4] == ["day", "$0.00", "$2.50"]
    data = cli.ok("budget", "--json").json["data"]
    assert data[0] == {
        "name": "fix-bug", "kind": "session", "budget": 5.0, "spent": 1.5, "left": 3.5, "unpriced_models": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["fix-bug", "lots"], 2),
        (["fix-bug", "=0"], 2),
        (["fix-bug", "+"], 2),
        (["fix-bug", "5", "6"], 2),
        (["--group", "nightly", "fix-bug", "5"], 2),
        (["--group", "a/b", "5"], 2),
    ],
)
def test_what_cannot_be_meant_changes_nothing(cli: Cli, used: Home, words: list[str], status: int) -> None:
    assert cli("budget", *words).status == status
    assert budget_of(used) == "5"


def test_nothing_is_added_to_no_limit(cli: Cli, used: Home) -> None:
    cli.ok("budget", "fix-bug", "none")
    answer = cli("budget", "fix-bug", "+5")
    assert answer.status == 5 and "clauderon budget fix-bug 5" in answer.error


def test_a_groups_file_that_nobody_can_read_is_no_money_at_all(used: Home) -> None:
    rights.keep_group_budget(used, "nightly", "5")
    assert rights.group_budget(used, "nightly") == "5"
    for text in (b"", b"1e9\n", b"\xff", b"nan"):
        (used.group_budgets / "nightly").write_bytes(text)
        assert rights.group_budget(used, "nightly") == "0"
    assert rights.group_budget(used, "other") is None


@pytest.mark.parametrize(("flag", "kept"), [(None, "2.50"), ("7", "7"), ("$7.10", "7.10"), ("none", "")])
def test_the_configurations_budget_is_a_new_sessions(flag: str | None, kept: str) -> None:
    assert _budget(flag, "2.50") == kept
