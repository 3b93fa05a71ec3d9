"""The database: one name, one port and one key a session, whoever asks at once; and a damaged file is said to be that."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from clauderon.errors import BackendError, Conflict, NoSuchSession
from clauderon.paths import Home
from clauderon.record import Session
from clauderon.store import SCHEMA_VERSION, Store
from tests.test_record import FIRST

PORTS = range(3100, 3103)


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    with Store.open(home) as opened:
        yield opened


def row(number: int, **changes: Any) -> Session:
    return Session(**{**FIRST, "id": f"{number:012x}", "name": f"s{number}", "port": 0, **changes})


def test_ports_are_given_from_below_and_come_back(store: Store) -> None:
    assert [store.add(row(number), PORTS).port for number in range(3)] == list(PORTS)
    with pytest.raises(Conflict) as caught:
        store.add(row(3), PORTS)
    assert caught.value.why == "all 3 session ports are in use"
    store.remove(row(1).id)
    assert store.add(row(3), PORTS).port == 3101


def test_a_port_of_ones_own_is_kept_where_it_is_free(store: Store) -> None:
    assert store.add(row(1, port=3102), PORTS).port == 3102
    assert store.add(row(2, port=3102), PORTS).port == 3100
    assert store.add(row(3, port=9), PORTS).port == 3101


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (row(9, name="s1", port=3101), "the name is in use"),
        (row(9, port=3100), "another session has taken port 3100"),
        (row(9, port=3101, idempotency="key"), "the idempotency key is in use"),
    ],
)
def test_name_port_and_key_are_one_sessions(store: Store, other: Session, why: str) -> None:
    store.add(row(1, port=3100, idempotency="key"))
    with pytest.raises(Conflict) as caught:
        store.add(other)
    assert caught.value.why == why
    assert [session.name for session in store.all()] == ["s1"]


def test_many_at_once_get_a_port_each(home: Home, store: Store) -> None:
    ports: list[int] = []

    def add(number: int) -> None:
        with Store.open(home) as own:
            ports.append(own.add(row(number), range(3100, 3120)).port)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ports) == list(range(3100, 3112))


def test_what_is_written_is_read_back(home: Home, store: Store) -> None:
    session = store.add(row(1, allow=("a.test",), env={"A": "b"}), PORTS)
    changed = store.update(session.id, state="deleting", step="x", archived=True)
    with Store.open(home) as other:
        assert other.get("s1") == other.named("s1") == changed
        assert other.unfinished() == [changed]
        assert other.names() == [("s1", "deleting", True)]
    assert changed.updated_at > session.updated_at


def test_what_is_not_there_is_said(store: Store) -> None:
    assert store.get("none") is None and store.by_idempotency("none") is None and store.is_empty()
    store.remove("none")
    with pytest.raises(NoSuchSession):
        store.named("none")
    with pytest.raises(NoSuchSession):
        store.update("none", step="x")


def test_facts_are_kept_and_forgotten(store: Store) -> None:
    store.keep_fact("a:1", {"x": [1]})
    store.keep_fact("a:2", 0)
    store.keep_fact("b", "y")
    store.keep_fact("a:1", {"x": [2]})
    assert store.facts("a:") == {"a:1": {"x": [2]}, "a:2": 0}
    store.keep_fact("a:1", None)
    assert store.fact("a:1") is None and store.fact("b") == "y"


def test_a_damaged_file_is_said_to_be_that(home: Home) -> None:
    home.database.write_text("this is no database, however long it may be" * 50)
    with pytest.raises(BackendError) as caught, Store.open(home) as store:
        store.all()
    assert "clauderon reconcile" in (caught.value.hint or "") or "damaged" in caught.value.why


def test_one_of_a_newer_clauderon_is_left_alone(home: Home) -> None:
    with Store.open(home):
        pass
    db = sqlite3.connect(home.database)
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    db.close()
    with pytest.raises(BackendError, match="newer clauderon"):
        Store.open(home)
