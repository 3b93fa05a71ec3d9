"""The journal of events: whole lines, from where one began to read, across a rotation and a damaged line."""

from __future__ import annotations

import threading

import pytest

from clauderon import events
from clauderon.events import Tail
from clauderon.paths import Home


def test_a_tail_sees_what_comes_after_it(home: Home) -> None:
    events.append(home, "stop", {"session": "before"})
    tail = Tail(home)
    assert tail.read() == []
    events.append(home, "stop", {"session": "one"})
    with home.events.open("ab") as file:
        file.write(b"not json\n[1]\n" + b'{"event": "half"')
    assert [one["session"] for one in tail.read()] == ["one"]
    with home.events.open("ab") as file:
        file.write(b', "session": "two"}\n')
    assert [one["session"] for one in tail.read()] == ["two"]


def test_no_event_is_lost_when_the_file_makes_room(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "ROTATE_BYTES", 500)
    tail = Tail(home)
    seen = []
    for number in range(100):
        events.append(home, "stop", {"number": number})
        if number % 3 == 0:
            seen += [one["number"] for one in tail.read()]
    seen += [one["number"] for one in tail.read()]
    assert seen == list(range(100))
    assert {path.name for path in home.root.glob("events*")} <= {"events.jsonl", "events.jsonl.1"}


def test_many_at_once_write_whole_lines(home: Home) -> None:
    tail = Tail(home)

    def work(number: int) -> None:
        for _ in range(50):
            events.append(home, "stop", {"number": number, "text": "x" * 200})

    workers = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(tail.read()) == 400


def test_only_its_owner_reads_it(home: Home) -> None:
    events.append(home, "stop", {})
    assert home.events.stat().st_mode & 0o777 == 0o600
