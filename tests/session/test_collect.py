"""What comes in and goes out of a session: commits and refusals, and files that are uploaded."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clauderon import airlock
from clauderon.errors import Refused, UsageError
from clauderon.paths import Home
from clauderon.record import Session
from clauderon.session import collect
from clauderon.session.context import Context
from tests.session.stand_ins import Said
from tests.standins.sessions import a_session


@pytest.fixture
def session(home: Home) -> Session:
    return a_session(home, "fix", "0123456789ab")


def test_what_a_sync_notes_is_said(
    context: Context, session: Session, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(airlock, "sync", lambda *_words, allowed: SimpleNamespace(notes=["a", *allowed]))
    collect.sync(context, "fix", allowed=["b"])
    assert said.warnings == ["a", "b"]


def test_a_refused_sync_keeps_nobody_from_looking(
    context: Context, session: Session, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_words: object, **_options: object) -> None:
        raise Refused("sync fix", "a tree is too large")

    monkeypatch.setattr(airlock, "sync", refuse)
    collect.sync_if_possible(context, session)
    assert said.warnings == [
        "sync fix: a tree is too large; what is not carried over is shown as uncommitted"
    ]
    with pytest.raises(Refused):
        collect.sync(context, "fix")


def test_a_file_of_the_same_name_is_numbered_and_none_is_overwritten(
    context: Context, session: Session, tmp_path: Path
) -> None:
    file = tmp_path / "a.txt"
    for text in ("one", "two", "three"):
        file.write_text(text)
        (name,) = collect.upload(context, "fix", [file])
    assert name == f"/workspace/.clauderon/uploads/{session.id}/a-2.txt"
    folder = context.home.upload_dir(session.id)
    assert sorted(path.read_text() for path in folder.iterdir()) == ["one", "three", "two"]
    assert (folder / "a.txt").read_text() == "one"


@pytest.mark.parametrize("bad", ["none", "folder"])
def test_all_are_looked_at_before_the_first_is_copied(
    context: Context, session: Session, tmp_path: Path, bad: str
) -> None:
    (tmp_path / "good").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError):
        collect.upload(context, "fix", [tmp_path / "good", tmp_path / bad])
    assert not any(context.home.uploads.glob("*/*"))


def test_one_that_cannot_be_copied_takes_the_others_back(
    context: Context, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = collect._copy

    def copy(file: Path, *more: Any) -> str:
        if file.name == "two":
            raise OSError("the disk is full")
        return real(file, *more)

    monkeypatch.setattr(collect, "_copy", copy)
    for name in ("one", "two"):
        (tmp_path / name).touch()
    with pytest.raises(OSError):
        collect.upload(context, "fix", [tmp_path / "one", tmp_path / "two"])
    assert list(context.home.upload_dir(session.id).iterdir()) == []
