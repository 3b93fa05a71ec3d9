"""How seldom a TLS session is asked for: to ask leaks it in the Pythons that most people have."""

from __future__ import annotations

import ssl
from typing import cast

from clauderon.proxy.net import tickets
from clauderon.proxy.net.tickets import Tickets


class Asked:
    """Reads a session and counts how often."""

    def __init__(self, session: str | None = "session") -> None:
        self.session = session
        self.times = 0

    def __call__(self) -> ssl.SSLSession | None:
        self.times += 1
        return cast("ssl.SSLSession | None", self.session)


def named(kept: Tickets[str], key: str) -> object:
    """The session that is kept: to the tests a word."""
    return kept.get(key)


def test_a_place_that_is_visited_once_is_not_asked() -> None:
    kept: Tickets[str] = Tickets()
    asked = Asked()
    for number in range(5000):
        kept.learn(str(number), float(number), asked)
    assert asked.times == 0
    assert len(kept._kept) == tickets.MOST


def test_any_other_is_asked_once_in_a_while_however_many_connections_it_gets() -> None:
    kept: Tickets[str] = Tickets()
    asked = Asked()
    for second in range(int(2.5 * tickets.RENEW_S)):
        kept.learn("api.test", float(second), asked)
    assert asked.times == 3
    assert kept.get("api.test") is not None


def test_one_that_gives_no_ticket_is_not_asked_more_often() -> None:
    kept: Tickets[str] = Tickets()
    asked = Asked(None)
    for second in range(int(tickets.RENEW_S)):
        kept.learn("api.test", float(second), asked)
    assert (asked.times, kept.get("api.test")) == (1, None)


def test_what_cannot_be_used_is_replaced_at_the_next_chance() -> None:
    kept: Tickets[str] = Tickets()
    asked = Asked()
    for _ in range(2):
        kept.learn("api.test", 1.0, asked)
    kept.drop("api.test")
    assert kept.get("api.test") is None
    kept.learn("api.test", 2.0, asked)
    assert (asked.times, named(kept, "api.test")) == (2, "session")
    kept.drop("never seen")
    assert kept.get("never seen") is None


def test_sessions_can_be_forgotten_apart() -> None:
    kept: Tickets[str] = Tickets()
    for key in ("one", "two"):
        for _ in range(2):
            kept.learn(key, 1.0, Asked())
    kept.forget(lambda key: key == "one")
    assert (named(kept, "one"), named(kept, "two")) == (None, "session")


def test_the_one_that_was_met_first_makes_room() -> None:
    kept: Tickets[str] = Tickets(most=2)
    for key in ("one", "two", "three"):
        for _ in range(2):
            kept.learn(key, 1.0, Asked())
    assert [named(kept, key) for key in ("one", "two", "three")] == [None, "session", "session"]
