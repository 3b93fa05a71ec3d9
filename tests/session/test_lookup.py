"""Finding a session by its name, its group, or the label of a container whose row was lost."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from clauderon import filelock, names, spec
from clauderon.docker.parse import Container
from clauderon.errors import Conflict, NoSuchSession, UsageError
from clauderon.paths import Home
from clauderon.record import Session
from clauderon.session import lookup
from clauderon.session.context import Context
from tests.session.stand_ins import Engine, detail, image
from tests.standins.sessions import a_session
from tests.test_record import FIRST

ID, OTHER = "0123456789ab", "ba9876543210"


@pytest.mark.parametrize("name", ["", "../x", "a b", "-x"])
def test_what_can_be_no_name_is_no_session(context: Context, name: str) -> None:
    with pytest.raises(NoSuchSession):
        lookup.find(context, name)


def test_a_name_that_is_nearly_one_is_offered(
    context: Context, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_session(home, "fix-bug", ID)
    monkeypatch.setattr(Context, "containers", lambda *_words: [])
    for name, hint in (
        ("fix-bag", "clauderon status fix-bug   # did you mean this one?"),
        ("zzz", "clauderon list"),
    ):
        with pytest.raises(NoSuchSession) as caught:
            lookup.find(context, name)
        assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("state", "held", "why"),
    [
        ("running", False, ""),
        ("refreshing", False, ""),
        ("creating", True, ""),
        ("creating", False, "its create was interrupted"),
        ("deleting", False, "its delete was interrupted"),
        ("deleting", True, "another command is deleting it"),
    ],
)
def test_one_that_is_half_way_is_for_who_looks_alone(
    context: Context, home: Home, state: str, held: bool, why: str
) -> None:
    session = context.store.update(a_session(home, "fix", ID).id, state=state)
    assert lookup.find(context, "fix", half_way=True) == session
    busy = Conflict("x", "y")
    with filelock.held(home.lock(ID), busy, 0) if held else contextlib.nullcontext():
        if not why:
            assert lookup.find(context, "fix") == session
            return
        with pytest.raises(Conflict) as caught:
            lookup.find(context, "fix")
        assert caught.value.why == why


def test_names_or_a_group_and_not_both(context: Context, home: Home) -> None:
    for number, (name, group) in enumerate((("one", "g"), ("two", ""), ("three", "g"))):
        context.store.update(a_session(home, name, f"{number:012x}").id, group=group)
    assert lookup.chosen(context, ["two", "x"], None, "stop") == ["two", "x"]
    assert lookup.chosen(context, None, "g", "stop") == ["one", "three"]
    with pytest.raises(NoSuchSession):
        lookup.chosen(context, [], "none", "stop")
    wrong: list[tuple[Any, Any]] = [([], None), (None, None), (["two"], "g")]
    for asked, of in wrong:
        with pytest.raises(UsageError):
            lookup.chosen(context, asked, of, "stop")


def adopted(context: Context, engine: Engine, record: str, **labels: str) -> Session:
    own = {spec.LABEL_ID: ID, spec.LABEL_SESSION: "fix", spec.LABEL_SPEC: record, **labels}
    engine.images["sha256:1"] = image()
    engine.containers["c"] = detail(labels=own)
    seen = Container("c", names.container("fix"), "running", "Up", "x", own)
    return lookup.record(context, seen, context.store.all())


def test_a_containers_own_record_is_its_row_and_may_only_read_where_its_rights_are_lost(
    context: Context, engine: Engine
) -> None:
    found = adopted(context, engine, Session(**FIRST).to_json())
    assert (found.name, found.state, found.access_mode) == ("fix", "running", "read-only")


@pytest.mark.parametrize(
    ("record", "labels"),
    [
        ("", {}),
        ("{}", {}),
        (Session(**FIRST).to_json(), {spec.LABEL_SESSION: "other"}),
        (Session(**{**FIRST, "id": OTHER}).to_json(), {}),
    ],
)
def test_a_label_that_is_no_record_of_this_session_is_none(
    context: Context, engine: Engine, record: str, labels: dict[str, str]
) -> None:
    with pytest.raises(NoSuchSession, match="no session record"):
        adopted(context, engine, record, **labels)


def test_labels_of_the_image_make_no_session(context: Context, engine: Engine) -> None:
    own = {spec.LABEL_ID: ID}
    engine.images["sha256:1"] = image(**own)
    engine.containers["c"] = detail(labels=own)
    with pytest.raises(lookup.NotOurs):
        lookup.record(context, Container("c", "x", "running", "Up", "evil", own), [])


def test_a_record_beside_a_row_of_its_name_is_a_conflict(
    context: Context, home: Home, engine: Engine
) -> None:
    a_session(home, "fix", OTHER)
    with pytest.raises(Conflict, match="has its name"):
        adopted(context, engine, Session(**FIRST).to_json())
