"""`create` as a whole: what a key finds, what is undone when a step fails, and what a person is told beforehand."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from clauderon.config.schema import Agent
from clauderon.errors import BackendError, Conflict
from clauderon.paths import Home
from clauderon.record import Session
from clauderon.session import create, credential_facts, idempotency, remove, telling
from clauderon.session.context import Context
from clauderon.session.request import Plan, Request
from tests.session.stand_ins import Said
from tests.standins.sessions import a_row, a_session


@pytest.fixture
def session(home: Home, context: Context) -> Session:
    return context.store.update(a_session(home, "fix", "0123456789ab").id, state="creating", step="container")


def request(key: str | None = None) -> Request:
    return cast(Request, SimpleNamespace(idempotency=key))


def test_what_was_made_is_told(context: Context, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(create, "_create", lambda *_: session)
    monkeypatch.setattr(telling, "tell", lambda _context, row, kind: told.append((row.name, kind)))
    assert create.create(context, request()) == create.Created(session)
    assert told == [("fix", "create")]


def test_a_session_of_the_same_key_is_given_and_not_made_again(
    context: Context, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "made_with", lambda *_: session)
    monkeypatch.setattr(idempotency, "check_same", lambda *_: None)
    monkeypatch.setattr(create, "_create", lambda *_: pytest.fail("it was made again"))
    assert create.create(context, request("key")) == create.Created(session, existing=True)


def test_of_two_commands_with_one_key_the_slower_one_gets_the_others_session(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name, or the key, was free when both looked. Seen to end in a Conflict."""
    made = context.store.add(a_row("made", "f" * 12).changed(idempotency="key"), range(3300, 3400))
    found = iter([None, made])
    monkeypatch.setattr(idempotency, "made_with", lambda *_: next(found))
    monkeypatch.setattr(idempotency, "check_same", lambda *_: None)

    def taken(*_: Any) -> Session:
        raise Conflict("create fix", "the name is in use")

    monkeypatch.setattr(create, "_create", taken)
    assert create.create(context, request("key")).existing


def test_a_conflict_that_has_nothing_to_do_with_the_key_is_said(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to be tried again without end."""
    monkeypatch.setattr(idempotency, "made_with", lambda *_: None)

    def taken(*_: Any) -> Session:
        raise Conflict("create fix", "the name is in use")

    monkeypatch.setattr(create, "_create", taken)
    with pytest.raises(Conflict):
        create.create(context, request("key"))


@pytest.mark.parametrize(("step", "after"), [("container", remove.UNDOING), ("worktree", "worktree")])
def test_undoing_says_first_that_its_container_is_not_the_session(
    context: Context, session: Session, monkeypatch: pytest.MonkeyPatch, step: str, after: str
) -> None:
    """A kill in between leaves a row by which the next command knows that."""
    discarded: list[str] = []
    monkeypatch.setattr(remove, "discard", lambda _context, row: discarded.append(row.step))
    create.undo(context, context.store.update(session.id, step=step), ValueError())
    assert discarded == [after] and context.store.named("fix").step == after


def test_what_cannot_be_undone_is_said_with_what_to_type_and_hides_no_error(
    context: Context, session: Session, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise BackendError("docker", "the engine is away", hint="x")

    monkeypatch.setattr(remove, "discard", away)
    create.undo(context, session, ValueError())
    (warning,) = said.warnings
    assert "the engine is away" in warning and "clauderon reconcile" in warning


def plan(row: Session, *, dirty: bool = False, notes: tuple[str, ...] = ()) -> Plan:
    repository: Any = SimpleNamespace(dirty=dirty, notes=notes, path=Path("/none"))
    return Plan(row, repository, Agent("claude"), b"go")


@pytest.mark.parametrize(
    ("changes", "facts", "missing", "words"),
    [
        ({}, {}, "", []),
        ({}, {"dirty": True}, "", ["Uncommitted changes"]),
        ({}, {"notes": ("the filter lfs is not installed",)}, "", ["lfs"]),
        ({}, {}, "no credential is set", ["no credential"]),
        ({"tracks": (".claude.json",)}, {}, "", [".claude.json of its own"]),
        ({"network": "proxied", "publish": ("80:80",)}, {}, "", ["published ports"]),
        ({"network": "proxied"}, {}, "", []),
    ],
)
def test_what_the_session_will_not_have_is_said_before_anything_is_done(
    context: Context,
    said: Said,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    facts: dict[str, Any],
    missing: str,
    words: list[str],
) -> None:
    monkeypatch.setattr(credential_facts, "missing", lambda *_: missing)
    create.say_what_stays_out(context, plan(a_row().changed(**changes), **facts))
    lines = [*said.notes, *said.warnings]
    assert len(lines) == len(words) and all(word in line for word, line in zip(words, lines, strict=True))
