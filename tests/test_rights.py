"""What narrows a session survives the database, and a command killed at any point leaves the narrower."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clauderon import netrules, rights, spec
from clauderon.docker.parse import Container
from clauderon.errors import BackendError
from clauderon.paths import Home
from clauderon.proxy import service
from clauderon.record import Session
from clauderon.session import lookup, reconcile
from clauderon.session.context import Context
from clauderon.store import Store
from tests.standins.sessions import a_session

ID = "0123456789ab"
# Fields that bound nothing: what a session is, where its things are, what it is given.
NOT_RIGHTS = {
    "id", "name", "state", "step", "port", "repo", "git_dir", "branch", "base", "agent", "image", "created_at", "updated_at", "ip",
    "backend", "idempotency", "conversation", "print_mode", "plan", "pull_policy", "user", "env", "volumes", "publish", "extra_args",
    "tracks", "agent_args", "exit_status", "timed_out",
    # Nothing changes it after the session was made, so a container's own record has the last one.
    "group",
    # The engine holds these for the container there is, and nothing changes them after it was made.
    "cpus", "memory", "pids", "disk", "unsafe", "ulimits", "log_max_mib",
}  # fmt: skip

HOSTS = st.sampled_from(["a.test", "*.b.test", "c.test:8443"])
RIGHTS = st.fixed_dictionaries(
    {
        "access_mode": st.sampled_from(["read-write", "read-only"]),
        "archived": st.booleans(),
        "network": st.sampled_from(["open", "proxied"]),
        "allow": st.none() | st.lists(HOSTS, unique=True).map(tuple),
        "deny": st.lists(HOSTS, unique=True).map(tuple),
        "remotes": st.lists(st.sampled_from(["github.com/o/r", "github.com/o/x"]), unique=True).map(tuple),
        "rules": st.lists(
            st.sampled_from([("deny a.test",), ("allow a.test",), ()]), unique=True, min_size=1
        ).map(netrules.joined),
        "credentials": st.none() | st.lists(st.sampled_from(["github", "openai"]), unique=True).map(tuple),
        "no_credentials": st.lists(st.sampled_from(["github", "openai"]), unique=True).map(tuple),
        "budget": st.sampled_from(["", "2.50", "10", "9"]),
        "timeout_s": st.none() | st.sampled_from([1.0, 60.0]),
    }
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "state")
    made.create()
    return made


def _may(found: rights.Rights) -> set[str]:
    """Everything these rights let happen, as one set: fewer elements, narrower rights."""
    allow = ["a.test", "*.b.test", "c.test:8443", "other"] if found["allow"] is None else found["allow"]
    may = {f"reach {host}" for host in allow if host not in found["deny"]}
    may |= {f"push to {remote}" for remote in found["remotes"]}
    lent = ["github", "openai", "own"] if found["credentials"] is None else found["credentials"]
    may |= {f"use {name}" for name in lent if name not in found["no_credentials"]}
    lists = netrules.groups(found["rules"])
    may |= {"go to a.test"} if not any("deny a.test" in each for each in lists) else set()
    may |= {"go to a.test past the list"} if all("allow a.test" in each for each in lists) else set()
    may |= {"write"} if found["access_mode"] == "read-write" else set()
    may |= {"run"} if not found["archived"] else set()
    may |= {"go round"} if found["network"] == "open" else set()
    may |= {f"spend {n}" for n in (2.5, 9, 10, 99) if not found["budget"] or n <= float(found["budget"])}
    return may | {
        f"last {n}" for n in (1.0, 60.0, 99.0) if found["timeout_s"] is None or n <= found["timeout_s"]
    }


@given(one=RIGHTS, other=RIGHTS)
def test_the_narrower_lets_through_what_both_do(one: rights.Rights, other: rights.Rights) -> None:
    """Seen to fail with the rules of one alone."""
    both = rights.narrower(one, other)
    assert _may(both) == _may(one) & _may(other)
    assert rights.narrower(both, one) == both
    assert rights.narrower(one, one) == dict(one)


def test_every_field_of_a_session_bounds_it_or_does_not() -> None:
    """A new field that bounds what a session may do belongs into rights.NARROWER; any other into the list above."""
    assert set(rights.NARROWER) | NOT_RIGHTS == set(Session._fields)
    assert not set(rights.NARROWER) & NOT_RIGHTS


@settings(max_examples=40)
@given(found=RIGHTS)
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, found: rights.Rights) -> None:
    home = Home(tmp_path_factory.mktemp("h"))
    rights.write(home, ID, found, durable=False)
    assert rights.read(home, ID) == found


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "{}", '{"access_mode": "read-write"}', "[" * 100_000, "\0", '{"access_mode": "admin"}', "x" * 2_000_000],
)  # fmt: skip
def test_half_a_file_is_no_file(home: Home, text: str) -> None:
    a_session(home, "one", ID)
    (home.session_dir(ID) / "rights.json").write_text(text)
    assert rights.read(home, ID) is None


@pytest.mark.parametrize("field", sorted(rights.NARROWER))
def test_a_value_nobody_writes_is_not_believed(home: Home, field: str) -> None:
    session = a_session(home, "one", ID)
    path = home.session_dir(ID) / "rights.json"
    values: list[object] = ["everything", -1, {}, [1]]
    for value in values:
        path.write_text(json.dumps({**rights.of(session._asdict()), field: value}))
        assert rights.read(home, ID) is None, value


def test_neither_a_link_nor_a_pipe_is_followed(home: Home, tmp_path: Path) -> None:
    import os

    a_session(home, "one", ID)
    path = home.session_dir(ID) / "rights.json"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert rights.read(home, ID) is None
    path.unlink()
    os.mkfifo(path)
    assert rights.read(home, ID) is None


# The row and the file.


def _kept(home: Home) -> rights.Rights:
    found = rights.read(home, ID)
    assert found is not None
    return found


@settings(max_examples=40)
@given(before=RIGHTS, after=RIGHTS, at=st.sampled_from(["file", "row", "nothing"]), which=st.integers(0, 1))
def test_a_change_that_is_killed_anywhere_leaves_a_file_no_wider_than_the_row(
    tmp_path_factory: pytest.TempPathFactory, before: rights.Rights, after: rights.Rights, at: str, which: int
) -> None:
    """Seen to fail with the file written after the row in every case, and before it in every case."""
    home = Home(tmp_path_factory.mktemp("h"))
    home.create()
    session = a_session(home, "one", ID)
    with Store.open(home) as store:
        store.update(ID, **before)
        writes: list[rights.Rights] = []
        original = rights.write

        def write(home: Home, session_id: str, found: rights.Rights, *, durable: bool) -> None:
            if at == "file" and len(writes) == which:
                raise KeyboardInterrupt
            writes.append(found)
            original(home, session_id, found, durable=False)
            if at == "row" and len(writes) == which + 1:
                raise KeyboardInterrupt

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rights, "write", write)
            with contextlib.suppress(KeyboardInterrupt):
                store.update(ID, **after)
        row = store.get(session.name)
    assert row is not None
    now = rights.of(row._asdict())
    assert now in (before, after)
    assert _may(_kept(home)) <= _may(now)
    if at == "nothing":
        assert _kept(home) == after


def test_a_right_that_cannot_be_written_down_is_not_changed(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object, **_more: object) -> None:
        raise OSError(28, "No space left on device")

    a_session(home, "one", ID)
    monkeypatch.setattr(rights, "write", full)
    with Store.open(home) as store:
        with pytest.raises(BackendError, match="no space left"):
            store.update(ID, access_mode="read-only")
        assert store.named("one").access_mode == "read-write"
        store.update(ID, step="x")  # nothing that is written down


# Without the database.


class _Said:
    def __init__(self) -> None:
        self.warned: list[str] = []

    def warn(self, text: str) -> None:
        self.warned.append(text)


def _context(home: Home, store: Store, label: str = "") -> Context:
    labels = {spec.LABEL_SPEC: label, spec.LABEL_ID: ID, spec.LABEL_SESSION: "one"}
    detail = SimpleNamespace(labels=labels, image_id="x")
    docker = SimpleNamespace(
        container_inspect=lambda _id: detail,
        image_inspect=lambda _id: SimpleNamespace(labels={}),
        inspect=lambda *_names: SimpleNamespace(networks=()),
        network_list=lambda _labels: [],
        volume_list=lambda _label: {},
        volumes_left=lambda _home: {},
    )
    config = SimpleNamespace(
        proxy=SimpleNamespace(session_port_range=range(3100, 3200)),
        docker=SimpleNamespace(network="clauderon"),
    )
    made = SimpleNamespace(
        home=home, store=store, docker=docker, config=config, report=_Said(), containers=list, environ={}
    )
    return cast(Context, made)


def _lose(home: Home, how: str) -> None:
    for path in home.root.glob("clauderon.db*"):
        if how == "truncated":
            path.write_bytes(b"")
        else:
            path.unlink()


def _adopt(home: Home, session: Session) -> tuple[Session, list[str]]:
    with Store.open(home) as store:
        context = _context(home, store, session.to_json())
        container = cast(Container, SimpleNamespace(id="c", name="clauderon-one"))
        return lookup.adopt(context, container), cast(Any, context.report).warned


@pytest.mark.parametrize("how", ["deleted", "truncated"])
@pytest.mark.parametrize(
    "change",
    [{"access_mode": "read-only"}, {"archived": True}, {"network": "proxied"}, {"allow": ("a.test",)}, {"allow": ()},
     {"deny": ("a.test",)}, {"budget": "1"}, {"timeout_s": 5.0}],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_a_lost_database_widens_nothing(home: Home, change: dict[str, Any], how: str) -> None:
    """Seen to fail with adoption from the label alone, which is as old as the container."""
    made = a_session(home, "one", ID)
    with Store.open(home) as store:
        store.update(ID, **change)
    _lose(home, how)
    adopted, warned = _adopt(home, made)
    assert {name: getattr(adopted, name) for name in change} == change
    assert warned == []


def test_what_the_label_narrows_stays_narrow_though_it_was_widened_since(home: Home) -> None:
    made = a_session(home, "one", ID).changed(access_mode="read-only")
    _lose(home, "deleted")
    assert _adopt(home, made)[0].access_mode == "read-only"


@pytest.mark.parametrize("damage", ["missing", "empty", "no directory"])
def test_without_its_file_an_adopted_session_may_only_read_and_that_is_said(home: Home, damage: str) -> None:
    """Seen to fail when the label was believed."""
    made = a_session(home, "one", ID)
    path = home.session_dir(ID) / "rights.json"
    if damage == "empty":
        path.write_bytes(b"")
    else:
        path.unlink()
    if damage == "no directory":
        path.parent.rmdir()
    _lose(home, "deleted")
    adopted, warned = _adopt(home, made)
    assert adopted.access_mode == "read-only"
    assert len(warned) == 1 and "clauderon set-access-mode one read-write" in warned[0]
    assert _kept(home)["access_mode"] == "read-only"


def _reconcile(
    home: Home, monkeypatch: pytest.MonkeyPatch, *, dry_run: bool = False
) -> list[tuple[str, str]]:
    monkeypatch.setattr(reconcile, "SETTLE_S", 0.0)
    monkeypatch.setattr(service, "reload", lambda *_args: None)
    with Store.open(home) as store:
        return [(a.name, a.did) for a in reconcile.reconcile(_context(home, store), dry_run=dry_run)]


def test_reconcile_takes_the_narrower_of_a_row_and_its_file(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a command that narrows and was killed between the two, or an older copy of the database put back.

    Seen to fail when the file was not read.
    """
    row = a_session(home, "one", ID)
    rights.write(home, ID, {**rights.of(row._asdict()), "access_mode": "read-only"})
    assert _reconcile(home, monkeypatch, dry_run=True) == [("one", "narrowed")]
    assert _reconcile(home, monkeypatch) == [("one", "narrowed")]
    with Store.open(home) as store:
        assert store.named("one").access_mode == "read-only"
    assert _reconcile(home, monkeypatch) == []


@pytest.mark.parametrize("left", ["missing", "wider"])
def test_reconcile_writes_the_file_of_a_row_that_is_narrower(
    home: Home, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    row = a_session(home, "one", ID)
    path = home.session_dir(ID) / "rights.json"
    wide = path.read_bytes()
    with Store.open(home) as store:
        store.update(row.id, access_mode="read-only")
    path.unlink()
    if left == "wider":
        path.write_bytes(wide)
    assert _reconcile(home, monkeypatch) == []
    assert _kept(home)["access_mode"] == "read-only"


def test_a_database_that_is_there_and_empty_is_a_lost_one(home: Home) -> None:
    made = a_session(home, "one", ID)
    with Store.open(home) as store:
        store.update(ID, access_mode="read-only")
    with sqlite3.connect(home.database) as db:
        db.execute("DELETE FROM session")
    assert _adopt(home, made)[0].access_mode == "read-only"
