"""What is said of limits is written seldom, and its last word always."""

from __future__ import annotations

from typing import Any

from clauderon.ledger import Ledger
from clauderon.paths import Home
from clauderon.proxy.daemon.accounting import Accounting
from clauderon.proxy.usage.newest_windows import NewestWindows


class Lines(list[Any]):
    """A journal in memory."""

    def said(self) -> list[tuple[str, str, float]]:
        return [(line["credential"], *window[:2]) for line in self for window in line["windows"]]


def unified(hours: bytes, used: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"server", b"x"), (b"anthropic-ratelimit-unified-%b-utilization" % hours, used)]


def test_of_many_answers_the_first_and_the_last_are_written() -> None:
    lines = Lines()
    newest = NewestWindows(lines)
    for used in (b"0.1", b"0.2", b"0.3"):
        newest.take("anthropic", "key", unified(b"5h", used))
    assert lines.said() == [("key", "5-hour", 0.1)]
    newest.write()
    newest.write()
    assert lines.said() == [("key", "5-hour", 0.1), ("key", "5-hour", 0.3)]


def test_an_answer_takes_the_place_of_those_alone_that_speak_of_the_same() -> None:
    lines = Lines()
    newest = NewestWindows(lines)
    for used in (b"0.1", b"0.2"):
        for credential, hours in (("one", b"5h"), ("two", b"5h"), ("one", b"7d")):
            newest.take("anthropic", credential, unified(hours, used))
    newest.write()
    assert sorted(line for line in lines.said() if line[2] == 0.2) == [
        ("one", "5-hour", 0.2),
        ("one", "7-day", 0.2),
        ("two", "5-hour", 0.2),
    ]


def test_an_answer_without_a_word_about_limits_writes_nothing() -> None:
    lines = Lines()
    newest = NewestWindows(lines)
    newest.take("anthropic", "key", [(b"server", b"x")])
    newest.take("anthropic", "key", unified(b"5h", b"much"))
    newest.write()
    assert lines == []


def test_a_worker_that_ends_writes_the_last_word(home: Home) -> None:
    accounting = Accounting(home)
    accounting._load([])
    for used in (b"0.1", b"0.9"):
        accounting.meter.windows.take("anthropic", "key", unified(b"5h", used))
    accounting.close()
    with Ledger.open(home) as ledger:
        (window,) = ledger.read()[1]
    assert window.used == 0.9
