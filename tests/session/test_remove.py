"""A delete, and the undoing of a create: what is asked first, what goes in which order, and what is told if it breaks off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clauderon import airlock, spec
from clauderon.errors import BackendError, Interrupted, Refused
from clauderon.paths import Home
from clauderon.proxy import service
from clauderon.record import Session
from clauderon.session import remove
from clauderon.session.context import Context
from tests.session.stand_ins import Engine, Said, detail
from tests.standins.sessions import a_session

ID = "0123456789ab"
OURS = {spec.LABEL_ID: ID}


@pytest.fixture
def session(home: Home, context: Context) -> Session:
    return a_session(home, "fix", ID)


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "reload", lambda *_: None)
    monkeypatch.setattr(airlock, "sync", lambda *_: None)


def state(monkeypatch: pytest.MonkeyPatch, **facts: Any) -> None:
    """What the airlock says of the session's work."""
    found = {"modified": 0, "untracked": 0, "submodules": (), "linked": (), "unmerged": 0, **facts}
    monkeypatch.setattr(airlock, "state", lambda *_: SimpleNamespace(**found))
    monkeypatch.setattr(airlock, "ignored", lambda *_: "2 ignored files (.env)")


def asked(
    context: Context, session: Session, *, running: bool = False, yes: bool = False, **keep: bool
) -> list[str]:
    """The questions."""
    questions: list[str] = []

    def confirm(question: str) -> bool:
        questions.append(question)
        return yes

    remove._ask(context, session, running, confirm, keep.get("ignored", False), keep.get("home", False))
    return questions


def test_nothing_is_asked_where_nothing_can_be_lost(
    context: Context, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    state(monkeypatch)
    assert asked(context, session) == []


@pytest.mark.parametrize(
    ("facts", "running", "reason"),
    [
        ({}, True, "its agent is running"),
        ({"modified": 1}, False, "1 uncommitted change"),
        ({"modified": 1, "untracked": 2}, False, "3 uncommitted changes"),
        ({"unmerged": 2}, False, "2 unmerged commits"),
        (
            {"linked": (SimpleNamespace(path="wt", unseen="", uncommitted=1),)},
            False,
            "in git worktree wt: 1 uncommitted change",
        ),
        (
            {"submodules": (SimpleNamespace(path="mod", commits=["a"], stashes=0, uncommitted=2),)},
            False,
            "in submodule mod: 1 commit, 2 uncommitted changes",
        ),
    ],
)
def test_every_reason_is_said_and_a_no_is_status_6_with_the_flag(
    context: Context,
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
    facts: dict[str, Any],
    running: bool,
    reason: str,
) -> None:
    state(monkeypatch, **facts)
    with pytest.raises(Refused) as caught:
        asked(context, session, running=running)
    assert caught.value.why == reason
    assert (caught.value.hint or "").startswith("clauderon delete --force fix")
    assert len(asked(context, session, running=running, yes=True)) == 1


def test_the_question_says_what_is_kept_and_what_is_not(
    context: Context, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    state(monkeypatch, unmerged=1)
    (question,) = asked(context, session, yes=True)
    assert "2 ignored files (.env): --keep-ignored" in question and "--keep-home" in question
    (question,) = asked(context, session, yes=True, ignored=True, home=True)
    assert "--keep" not in question


def test_work_that_cannot_be_looked_at_is_a_reason_to_ask(
    context: Context, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to be deleted unasked where the failure counted as no work."""
    state(monkeypatch)

    def broken(*_: Any) -> None:
        raise BackendError("session fix", "its repository is gone", hint="x")

    monkeypatch.setattr(airlock, "state", broken)
    (question,) = asked(context, session, yes=True)
    assert "its work cannot be looked at" in question


@pytest.mark.parametrize(
    ("step", "labels", "running", "tip", "complete"),
    [
        ("container", OURS, True, None, True),
        ("container", OURS, False, "1" * 40, True),
        ("container", OURS, False, None, False),
        ("container", {spec.LABEL_ID: "another"}, True, None, False),
        ("worktree", OURS, True, None, False),
        (remove.UNDOING, OURS, True, None, False),
        (remove.UNDOING, OURS, True, "1" * 40, True),
    ],
)
def test_a_killed_create_that_came_to_run_or_left_work_is_no_ruin(
    context: Context,
    session: Session,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    labels: dict[str, str],
    running: bool,
    tip: str | None,
    complete: bool,
) -> None:
    engine.containers["clauderon-fix"] = detail(labels=labels, running=running)
    monkeypatch.setattr(airlock, "tip", lambda *_: tip)
    assert remove.is_complete(context, session.changed(state="creating", step=step)) is complete


@pytest.fixture
def removed(context: Context, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What `discard` does, in its order."""
    done: list[str] = []
    engine.verbs["container_remove"] = lambda id_: done.append(f"container {id_[:3]}")
    found = SimpleNamespace(id="c" * 64, name="clauderon-fix", labels=OURS)
    monkeypatch.setattr(remove, "_containers", lambda *_: [found])
    monkeypatch.setattr(remove, "_clear_touched", lambda *_: done.append("touched"))
    monkeypatch.setattr(airlock, "close", lambda *_: done.append("worktree"))
    yield done


@pytest.mark.parametrize(
    ("step", "order"),
    [
        ("recorded", []),
        ("worktree", ["touched", "worktree"]),
        ("container", ["container ccc", "touched", "worktree"]),
    ],
)
def test_a_create_is_undone_as_far_as_it_came(
    context: Context, session: Session, removed: list[str], step: str, order: list[str]
) -> None:
    """A branch of that name would be the user's where none was made; and no engine is asked where none had a part."""
    remove.discard(context, session.changed(step=step))
    assert removed == order
    assert context.store.get("fix") is None


@pytest.mark.parametrize("made", ["session_dir", "session_home", "upload_dir"])
def test_nothing_of_a_session_is_left(
    context: Context, session: Session, removed: list[str], made: str
) -> None:
    directory: Path = getattr(context.home, made)(ID)
    (directory / "deep").mkdir(parents=True)
    remove.discard(context, session.changed(step="container"))
    assert not directory.exists()


def test_the_agents_home_is_moved_where_it_is_to_be_kept_and_said_where_it_goes(
    context: Context, session: Session, said: Said
) -> None:
    home = context.home.session_home(ID)
    home.mkdir(parents=True)
    (home / "notes").write_text("x")
    assert remove._home_goes(context, session, keep=False) == ""
    assert "--keep-home keeps it" in said.notes[-1]
    kept = remove._home_goes(context, session, keep=True)
    assert (Path(kept) / "notes").read_text() == "x" and not home.exists()
    assert remove._home_goes(context, session, keep=True) == kept  # a delete that is finished later


def test_a_link_in_the_homes_place_is_not_taken_for_it(
    context: Context, session: Session, tmp_path: Path
) -> None:
    context.home.session_home(ID).parent.mkdir(parents=True, exist_ok=True)
    context.home.session_home(ID).symlink_to(tmp_path)
    assert remove._home_goes(context, session, keep=True) == ""
    assert tmp_path.is_dir()


@pytest.mark.parametrize("end", [KeyboardInterrupt(), Interrupted(15)])
@pytest.mark.parametrize(("state", "told"), [("deleting", True), ("running", False)])
def test_an_interrupt_says_who_finishes_what_was_begun(
    context: Context, session: Session, said: Said, end: BaseException, state: str, told: bool
) -> None:
    context.store.update(session.id, state=state)
    with pytest.raises(type(end)), remove._interrupt_told(context, session):
        raise end
    assert bool(said.warnings) is told
