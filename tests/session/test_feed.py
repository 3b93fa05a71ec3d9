"""What a live view asks for: never an error but a sentence, never more than the end of what is long."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from clauderon.errors import NoSuchSession
from clauderon.paths import Home
from clauderon.session import feed as module
from clauderon.session.feed import HISTORY, Feed
from clauderon.store import Store
from tests.standins.fleet import Fleet

_AWAY = "#!/bin/sh\necho 'Cannot connect to the Docker daemon at x. Is it running?' >&2; exit 1\n"


@pytest.fixture
def fleet(home: Home, repo: Path, tmp_path: Path) -> Fleet:
    return Fleet(home, tmp_path / "fleet", repo)


@pytest.fixture
def feed(fleet: Fleet) -> Iterator[Feed]:
    with Store.open(fleet.home) as store:
        yield Feed(fleet.context(store))


def test_bytes_between_two_looks_are_the_traffic(fleet: Fleet, feed: Feed) -> None:
    one = fleet.add("one", 1)
    fleet.request(one)
    feed.look()
    fleet.request(one)
    assert feed.look().traffic == {one.id: [0, 1000]}
    for _ in range(HISTORY):
        last = feed.look()
    assert last.traffic == {one.id: [0] * HISTORY}


def test_an_engine_that_is_away_is_a_sentence_over_what_was_known(fleet: Fleet, feed: Feed) -> None:
    fleet.add("one", 1)
    assert feed.look().problem == ""
    there = (fleet.bin / "docker").read_text()
    (fleet.bin / "docker").write_text(_AWAY)
    look = feed.look()
    assert "docker" in look.problem.lower() and "\n" not in look.problem
    assert [one.view.session.name for one in look.sessions] == ["one"]
    feed.measure()
    (fleet.bin / "docker").write_text(there)
    assert feed.look().problem == ""


def test_a_session_that_is_gone_is_gone_from_the_traffic_too(fleet: Fleet, feed: Feed) -> None:
    one = fleet.add("one", 1)
    feed.look()
    (fleet.place / "containers").write_text("")
    with Store.open(fleet.home) as store:
        store.remove(one.id)
    assert feed.look()[:2] == ([], {})


def test_cpu_and_memory_are_those_of_the_last_measure(fleet: Fleet, feed: Feed) -> None:
    fleet.add("one", 1, cpu="12.50%")
    assert feed.look().sessions[0].stats is None
    feed.measure()
    stats = feed.look().sessions[0].stats
    assert stats is not None and stats.cpu == 12.5


def test_of_the_audit_the_newest_lines_of_one_session_are_shown(fleet: Fleet, feed: Feed) -> None:
    one, two = fleet.add("one", 1), fleet.add("two", 2)
    for number in range(5):
        fleet.request(one, path=f"/{number}")
        fleet.request(two, path=one.id)
    with fleet.home.audit.open("a") as file:
        file.write(f'{{"id": "{one.id}", broken\n[7]\n{json.dumps([one.id])}\n')
    assert [line["path"] for line in feed.requests(one.id, most=3)] == ["/2", "/3", "/4"]
    assert feed.requests("no such id") == []


def test_of_a_long_audit_only_the_end_is_read_and_no_half_line(
    fleet: Fleet, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = fleet.add("one", 1)
    for number in range(9):
        fleet.request(one, path=f"/{number}")
    size = fleet.home.audit.stat().st_size
    monkeypatch.setattr(module, "_AUDIT_BYTES", size // 3 + 10)
    assert [line["path"] for line in feed.requests(one.id)] == ["/6", "/7", "/8"]
    fleet.home.audit.unlink()
    assert feed.requests(one.id) == []


def test_of_an_agents_output_the_end_is_shown_as_bytes(
    fleet: Fleet, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_OUTPUT_BYTES", 10)
    fleet.add("one", 1, output=b"x" * 50 + b"\xff\x1b[2J end")
    assert feed.output("one") == b"x\xff\x1b[2J end"
    assert "logs --tail 400 clauderon-one" in fleet.asked
    (fleet.bin / "docker").write_text("#!/bin/sh\nexit 1\n")
    assert feed.output("one") == b""


@pytest.mark.parametrize(
    ("answer", "size"),
    [
        ("24 80", (80, 24)),
        ("0 0", None),
        ("", None),
        ("24", None),
        ("-1 80", None),
        ("99999 80", None),
        ("a b", None),
    ],
)
def test_the_terminals_size_is_two_numbers_or_unknown_and_asked_once(
    fleet: Fleet, feed: Feed, answer: str, size: tuple[int, int] | None
) -> None:
    """The image's own `stty` answers, and may say anything."""
    log = fleet.place / "asked"
    (fleet.bin / "docker").write_text(f"#!/bin/sh\necho asked >>{log}\necho '{answer}'\n")
    assert feed.terminal_size("one") == size == feed.terminal_size("one")
    assert fleet.asked == ["asked"]


def test_a_patch_is_asked_for_by_name(fleet: Fleet, feed: Feed) -> None:
    with pytest.raises(NoSuchSession):
        feed.patch("nobody")
    assert feed.session(fleet.add("one", 1).name).name == "one"


def test_what_a_view_starts_works_in_the_same_home(fleet: Fleet, feed: Feed) -> None:
    assert feed.environ["CLAUDERON_HOME"] == str(fleet.home.root)
