"""What `top` does to a session, by commands of ours: what it says of them, and that no word becomes an option."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clauderon import proc
from clauderon.errors import BackendError
from clauderon.paths import Home
from clauderon.session.feed import Feed
from clauderon.store import Store
from clauderon.top import acting
from clauderon.top.acting import Said
from tests.standins.fleet import Fleet


@pytest.fixture
def fleet(home: Home, tmp_path: Path) -> Fleet:
    return Fleet(home, tmp_path / "fleet")


@pytest.fixture
def feed(fleet: Fleet) -> Iterator[Feed]:
    with Store.open(fleet.home) as store:
        yield Feed(fleet.context(store))


@pytest.fixture
def ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A program in the place of ours: says its words and what `answer` has, with the status in `status`."""
    program = tmp_path / "ours"
    program.write_text(
        f'#!/bin/sh\necho "$*" >>{tmp_path}/words\ncat {tmp_path}/answer >&2\nexit $(cat {tmp_path}/status)\n'
    )
    program.chmod(0o755)
    monkeypatch.setattr(acting, "_OURS", (str(program),))
    answer(tmp_path, "", 0)
    return tmp_path


def answer(place: Path, text: str, status: int) -> None:
    (place / "answer").write_text(text)
    (place / "status").write_text(str(status))


def test_it_is_this_very_program_that_is_run() -> None:
    assert (sys.executable, "-P", "-m", "clauderon") == acting._OURS


def test_a_command_is_run_quietly_and_a_name_is_never_an_option(feed: Feed, ours: Path) -> None:
    assert acting.run(feed, "--all", "delete", "--force") == Said(True, "delete --all: done")
    assert (ours / "words").read_text() == "delete --quiet --force -- --all\n"


def test_the_first_line_of_a_failure_is_said_and_drives_nothing(feed: Feed, ours: Path) -> None:
    answer(ours, "clauderon: stop one: \x1b]0;x\x07why\nhint: do this\n", 4)
    assert acting.run(feed, "one", "stop") == Said(False, "stop one: \\x1b]0;x\\x07why")


def test_a_program_that_cannot_be_started_is_a_line_and_no_end(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acting, "_OURS", ("/nonexistent",))
    said = acting.run(feed, "one", "stop")
    assert not said.ok and "/nonexistent" in said.text


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        ("", 0, Said(True, "")),
        ("bye\n", 130, Said(True, "")),  # the agent's own words and status
        ("clauderon: attach one: it does not run\nhint: x\n", 6, Said(False, "attach one: it does not run")),
    ],
)
def test_a_visit_fails_only_where_it_did_not_come_to_it(
    feed: Feed, ours: Path, text: str, status: int, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(ours, text, status)
    monkeypatch.setattr(
        proc, "visit", lambda argv, env: proc.start(argv, env=env).result(ok=None, aloud=False)
    )
    assert acting.visit(feed, "one", "attach") == said
    assert (ours / "words").read_text() == "attach -- one\n"


class Typed:
    """What was typed, and where."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[str], str, bytes]] = []
        self.took = True

    def __call__(self, argv: Any, *, env: Any, text: str, leave: bytes, size: Any) -> bool:
        self.calls.append((list(argv), text, leave))
        return self.took


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Typed:
    made = Typed()
    monkeypatch.setattr(proc, "type_into", made)
    return made


def test_a_line_is_typed_and_the_terminal_left_as_a_person_leaves_it(
    fleet: Fleet, feed: Feed, typed: Typed
) -> None:
    fleet.add("one", 1)
    assert acting.send(feed, "one", "fix it") == Said(True, "sent to one")
    ((argv, text, leave),) = typed.calls
    assert (argv[-1], text, leave) == ("clauderon-one", "fix it", b"\x10\x11")
    assert "--sig-proxy=false" in argv


def test_nothing_that_a_terminal_obeys_is_typed(fleet: Fleet, feed: Feed, typed: Typed) -> None:
    """A line that was pasted may end what it is typed into, or press Enter by itself. Seen to be typed."""
    fleet.add("one", 1)
    acting.send(feed, "one", "a\x03\x1b[A\r\n\x10\x11\u202eb")
    assert typed.calls[0][1] == "a[Ab"


def test_a_session_without_a_terminal_takes_no_line(fleet: Fleet, feed: Feed, typed: Typed) -> None:
    fleet.add("one", 1, print_mode=True)
    said = acting.send(feed, "one", "x")
    assert not said.ok and "takes no further prompt" in said.text and typed.calls == []


def test_a_terminal_that_was_not_reached_and_a_session_that_is_gone_are_said(
    fleet: Fleet, feed: Feed, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.add("one", 1)
    typed.took = False
    assert acting.send(feed, "one", "x") == Said(False, "one: its terminal could not be reached")
    assert not acting.send(feed, "gone", "x").ok

    def away(*_: Any, **__: Any) -> bool:
        raise BackendError("docker attach", "the engine is away", hint="x")

    monkeypatch.setattr(proc, "type_into", away)
    assert acting.send(feed, "one", "x") == Said(False, "docker attach: the engine is away")
