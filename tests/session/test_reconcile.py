"""A lost database is said aloud, and a dry run of `reconcile` says what the real one does."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clauderon import spec
from clauderon.docker.parse import Container
from clauderon.paths import Home
from clauderon.proxy import service
from clauderon.record import Session
from clauderon.session import query, reconcile
from clauderon.session.context import Context
from clauderon.store import Store
from tests.standins.cli import Cli
from tests.standins.sessions import a_session

IDS = ("0123456789ab", "123456789abc", "23456789abcd")
NAMES = ("one", "two", "three")


class _Said:
    def __init__(self) -> None:
        self.warned: list[str] = []

    def warn(self, text: str) -> None:
        self.warned.append(text)

    note = warn


class _Engine:
    """Containers by id with the text of their record; what `reconcile` asks of docker."""

    def __init__(self, records: dict[str, tuple[Session, str]]) -> None:
        self.records = records
        self.from_image: set[str] = set()

    def listed(self) -> list[Container]:
        return [
            Container(session_id, f"clauderon-{session.name}", "running", "Up", "x",
                      {spec.LABEL_ID: session_id, spec.LABEL_SESSION: session.name})
            for session_id, (session, _text) in self.records.items()
        ]  # fmt: skip

    def container_inspect(self, key: str) -> Any:
        for session_id, (session, text) in self.records.items():
            if key in (session_id, f"clauderon-{session.name}"):
                labels = {
                    spec.LABEL_SPEC: text,
                    spec.LABEL_ID: session_id,
                    spec.LABEL_SESSION: session.name,
                }
                return SimpleNamespace(labels=labels, running=True, image_id=session_id)
        return None

    def image_inspect(self, reference: str) -> Any:
        """Of the container with this id."""
        fake = reference in self.from_image
        return SimpleNamespace(labels={spec.LABEL_ID: reference} if fake else {})

    def network_list(self, _labels: dict[str, str]) -> list[str]:
        return []

    def volume_list(self, _label: str) -> dict[str, str]:
        return {}

    def volumes_left(self, _home: str) -> dict[str, str]:
        return {}

    def inspect(self, *_names: str) -> Any:
        return SimpleNamespace(networks=())

    def container_list(self, labels: dict[str, str]) -> list[Container]:
        return [one for one in self.listed() if labels.items() <= one.labels.items()]

    def container_remove(self, key: str) -> None:
        self.records.pop(key, None)


def _context(home: Home, store: Store, engine: _Engine) -> tuple[Context, _Said]:
    config = SimpleNamespace(
        proxy=SimpleNamespace(session_port_range=range(3100, 3200)),
        docker=SimpleNamespace(network="clauderon"),
    )
    said = _Said()
    made = SimpleNamespace(
        home=home,
        store=store,
        docker=engine,
        config=config,
        report=said,
        containers=engine.listed,
        environ={},
    )
    return cast(Context, made), said


def _home(root: Path) -> Home:
    home = Home(root / "state")
    home.create()
    return home


def _made(home: Home, number: int) -> Session:
    session = a_session(home, NAMES[number], IDS[number])
    for directory in (home.session_home(session.id), home.git_dir(session.id), home.worktree(session.name)):
        directory.mkdir(parents=True)
    return session


def _forget(home: Home, session: Session) -> None:
    with Store.open(home) as store:
        store.remove(session.id)


@settings(max_examples=60, deadline=None)
@given(
    fates=st.lists(
        st.sampled_from([
            "kept", "lost", "lost, its record too", "lost, rights too", "without a container", "an image's",
        ]),
        min_size=3, max_size=3,
    ),
    same_name=st.booleans(),
    creating=st.booleans(),
)  # fmt: skip
def test_a_dry_run_says_what_the_real_one_does(
    tmp_path_factory: pytest.TempPathFactory, fates: list[str], same_name: bool, creating: bool
) -> None:
    """The dry run named the directories of a session to be adopted as nobody's, or as removed.

    Seen to fail where a dry run forgot whom it would adopt, and where it forgot whom it would undo.
    """
    home = _home(tmp_path_factory.mktemp("h"))
    records: dict[str, tuple[Session, str]] = {}
    for number, fate in enumerate(fates):
        session = _made(home, number)
        text = "{" if fate == "lost, its record too" else session.to_json()
        if fate != "without a container":
            records[session.id] = (session, text)
        if fate.startswith(("lost", "an image's")):
            _forget(home, session)
        if fate == "lost, rights too":
            shutil.rmtree(home.session_dir(session.id))
    if same_name and fates[0] != "kept":
        _forget(home, records.get(IDS[0], (SimpleNamespace(id=IDS[0]), ""))[0])  # type: ignore[arg-type]
        with contextlib.suppress(Exception):
            a_session(home, NAMES[0], "f" * 12)
    if creating:
        with Store.open(home) as store:
            for session in store.all()[:1]:
                store.update(session.id, state="creating", step="container")
    engine = _Engine(records)
    engine.from_image = {IDS[number] for number, fate in enumerate(fates) if fate == "an image's"}
    results = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reconcile, "SETTLE_S", 0.0)
        patch.setattr(service, "reload", lambda *_args: None)
        for dry_run in (True, False):
            with Store.open(home) as store:
                context, said = _context(home, store, engine)
                actions = [(a.name, a.what, a.did) for a in reconcile.reconcile(context, dry_run=dry_run)]
                results.append((actions, said.warned))
    assert results[0] == results[1]
    for session_id, (session, _text) in engine.records.items():
        if session_id in engine.from_image:
            assert (session.name, "session", "adopted") not in results[0][0]
            continue
        for said_text in results[0][1]:
            assert f"{home.session_home(session_id)} belongs" not in said_text
            assert f"{home.worktree(session.name)} belongs" not in said_text
        assert (session_id, "session directory", "removed") not in results[0][0]


def test_a_stranger_has_no_age(tmp_path: Path) -> None:
    """It was counted from 1970: 20786d."""
    home = _home(tmp_path)
    session = _made(home, 0)
    _forget(home, session)
    engine = _Engine({session.id: (session, session.to_json())})
    stranger = query._stranger(engine.listed()[0])
    row = query.View(stranger, "orphan").row()
    assert row["age"] == ""
    assert row["created_at"] is None


@pytest.fixture
def with_sessions(home: Home) -> Home:
    home.config.write_text('[docker]\ncommand = "/bin/true"\n')
    for number in range(2):
        _made(home, number)
    return home


@pytest.mark.parametrize("how", ["deleted", "truncated", "emptied"])
@pytest.mark.parametrize("command", [("list",), ("list", "--json"), ("reconcile", "--dry-run")])
def test_a_lost_database_is_announced(
    with_sessions: Home, cli: Cli, how: str, command: tuple[str, ...]
) -> None:
    """`list` said "No sessions." of a home full of them; and so did the second one after it."""
    if how == "emptied":
        with Store.open(with_sessions) as store:
            for session in store.all():
                store.remove(session.id)
    for path in with_sessions.root.glob("clauderon.db*"):
        if how == "deleted":
            path.unlink()
        elif how == "truncated":
            path.write_bytes(b"")
    for _ in range(2):
        answer = cli(*command)
        assert "the database was lost" in answer.error + answer.text
        assert "directories of 2 sessions" in answer.error + answer.text
        assert "clauderon reconcile" in answer.error + answer.text


def test_nothing_is_announced_where_nothing_was_lost(home: Home, cli: Cli) -> None:
    home.config.write_text('[docker]\ncommand = "/bin/true"\n')
    assert "lost" not in cli("list").error
    _made(home, 0)
    assert "lost" not in cli("list").error
