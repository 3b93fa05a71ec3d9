"""One key is one session, also while another command makes it, and never one that was made for something else."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from clauderon.errors import Conflict
from clauderon.record import Session
from clauderon.session import idempotency, reconcile
from clauderon.session.context import Context
from clauderon.session.request import Request
from tests.test_record import FIRST


@pytest.fixture
def made(context: Context) -> Session:
    return context.store.add(Session(**{**FIRST, "repo": "/none"}, idempotency="key"), range(3100, 3200))


def test_a_key_that_nobody_used_finds_nothing(context: Context, made: Session) -> None:
    assert idempotency.made_with(context, "other") is None
    assert idempotency.made_with(context, "key") == made


def test_what_a_killed_command_left_is_finished_first(
    context: Context, made: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    context.store.update(made.id, state="creating")
    monkeypatch.setattr(idempotency, "POLL_S", 0.0)
    monkeypatch.setattr(
        reconcile, "finish_interrupted", lambda context, *_: context.store.update(made.id, state="running")
    )
    found = idempotency.made_with(context, "key")
    assert found is not None and found.state == "running"


def test_one_that_cannot_be_finished_is_a_conflict(
    context: Context, made: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    context.store.update(made.id, state="creating")
    tried: list[object] = []
    monkeypatch.setattr(idempotency, "POLL_S", 0.0)
    monkeypatch.setattr(reconcile, "finish_interrupted", lambda *words: tried.append(words))
    with pytest.raises(Conflict) as caught:
        idempotency.made_with(context, "key")
    assert caught.value.why == "it was made with the same key, and is creating"
    assert len(tried) == idempotency.ATTEMPTS


def wanted(**changes: Any) -> Request:
    values = {"print_mode": False, "repo": Path("/none"), "prompt": None}
    return cast(Request, SimpleNamespace(**{**values, **changes}))


def test_a_session_for_the_same_is_the_same(context: Context, made: Session) -> None:
    idempotency.check_same(context, wanted(), made)
    idempotency.check_same(context, wanted(repo=Path("/none/src")), made)
    folder = context.home.session_dir(made.id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prompt").write_bytes(b"do it")
    idempotency.check_same(context, wanted(prompt=b"do it"), made)


@pytest.mark.parametrize(
    ("changes", "how"),
    [
        ({"print_mode": True}, "whose agent waits for a person"),
        ({"repo": Path("/other")}, "in another repository (/none)"),
        ({"repo": Path("/nonesuch")}, "in another repository (/none)"),
        ({"prompt": b"do that"}, "with another prompt"),
    ],
)
def test_a_session_for_something_else_is_a_conflict_with_the_difference(
    context: Context, made: Session, changes: dict[str, Any], how: str
) -> None:
    folder = context.home.session_dir(made.id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prompt").write_bytes(b"do it")
    with pytest.raises(Conflict) as caught:
        idempotency.check_same(context, wanted(**changes), made)
    assert caught.value.why == f"the idempotency key is that of session fix, {how}"
